"""System calls that fail or take long: strace, attached to a running exporter."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.eventually import eventually


def needs_strace() -> str:
    """Answer the program, or skip with the reason."""
    found = shutil.which("strace")
    if found is None:
        pytest.skip("no strace on this machine (package strace)")
    if os.geteuid() != 0:
        pytest.skip("strace attaches to another process only as root here")
    return found


@contextlib.contextmanager
def injected(pid: int, log: Path, *expressions: str) -> Iterator[Path]:
    """Attach to a process until the block is left or it ends; each expression is one of strace's ``-e``.

    ``log`` receives the traced calls.
    """
    said = log.with_suffix(".attached")
    options = [part for one in expressions for part in ("-e", one)]
    with said.open("wb") as errors:
        tracer = subprocess.Popen(
            [needs_strace(), "-f", "-tt", "-o", str(log), *options, "-p", str(pid)],
            stdin=subprocess.DEVNULL,
            stderr=errors,
        )
    try:

        def attached() -> None:
            if tracer.poll() is not None:
                pytest.skip(f"strace cannot attach here: {said.read_text()[:200]}")
            assert "attached" in said.read_text(), "expected strace to say that it is attached"

        eventually(attached, within=10, every=0.01)
        yield log
    finally:
        if tracer.poll() is None:
            tracer.terminate()
        tracer.wait(10)
