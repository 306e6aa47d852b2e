"""A memory limit that the kernel keeps by killing: a control group of the test's own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

V1 = Path("/sys/fs/cgroup/memory")
V2 = Path("/sys/fs/cgroup")


@contextlib.contextmanager
def starved(pid: int, most: int = 256 * 1024) -> Iterator[None]:
    """Let a process have ``most`` bytes beyond what it has; skips, with the reason, where no group can be made.

    What was charged to another group before stays there: the limit counts what comes from now on.
    """
    first = (V1 / "memory.limit_in_bytes").exists()
    group = (V1 if first else V2) / f"eddie-chaos-{os.getpid()}-{pid}"
    if os.geteuid() != 0:
        pytest.skip("a memory limit needs root (control groups)")
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        limit = group / ("memory.limit_in_bytes" if first else "memory.max")
        try:
            limit.write_text(str(most))
            (group / "cgroup.procs").write_text(str(pid))
        except OSError as error:
            pytest.skip(f"no memory limit can be set here: {error}")
        yield
    finally:
        _empty(group)


def _empty(group: Path) -> None:
    """Bring whoever is left back, and remove the group."""
    for pid in (group / "cgroup.procs").read_text().split():
        (group.parent / "cgroup.procs").write_text(pid)
    group.rmdir()
