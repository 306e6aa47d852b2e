"""Native mode's launcher: the supervisor starts a service through it, and it makes the restarts' rhythm hold.

Run as `python -m stack.native_launch <folder> <service>`. It waits as long as the service's last starts ask for, notes
which process the service is, and becomes the service. Standard library only, and nothing of the stack's own modules
but this one: it has to start in a moment and whatever happened.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FIRST_DELAY, LONGEST_DELAY = 0.1, 2.0
"""Seconds: the first restart comes at once, the second after 0.1, then doubling to 2."""
GOOD_AFTER = 5.0
"""Seconds up after which a service counts as well again, and its next restart is at once."""
_PR_SET_PDEATHSIG = 1


def next_delay(last: float | None, ran: float) -> float:
    """Return the seconds to wait before a restart, from the last wait (None: the first start had none) and the run."""
    if last is None or ran >= GOOD_AFTER:
        return 0.0
    return min(LONGEST_DELAY, max(FIRST_DELAY, 2 * last))


def start_ticks(pid: int) -> int | None:
    """Return when a process started, in the kernel's ticks (None: it is gone); with the pid, that names one process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def note(state: Path, pid: int, **fields: Any) -> None:
    """Write down which process a service is, in one step, so that nobody reads half a note."""
    text = json.dumps({"pid": pid, "ticks": start_ticks(pid), **fields})
    draft = state.with_suffix(f".{os.getpid()}")
    draft.write_text(text)
    draft.replace(state)


def read(state: Path) -> dict[str, Any]:
    """Read a note; empty when there is none, or none that can be read."""
    try:
        fields = json.loads(state.read_text())
    except (OSError, ValueError):
        return {}
    return fields if isinstance(fields, dict) else {}


def die_with_parent() -> None:
    """Ask the kernel to end this process when the supervisor is gone: nobody else would restart it."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def stop_earlier(earlier: Mapping[str, Any], within: float = 10.0) -> None:
    """End an earlier process of the service: a killed supervisor may leave one that holds port and data."""
    pid, ticks = earlier.get("pid"), earlier.get("ticks")
    deadline = time.monotonic() + within
    while isinstance(pid, int) and ticks is not None and start_ticks(pid) == ticks:
        os.kill(pid, signal.SIGTERM if time.monotonic() < deadline else signal.SIGKILL)
        time.sleep(0.1)


def main(folder: Path, service: str) -> None:
    """Become the service; returns never."""
    os.dup2(1, 2)
    die_with_parent()
    state = folder / "state" / f"{service}.json"
    earlier = read(state)
    now = time.monotonic()
    delay, starts = None, int(earlier.get("starts", 0)) + 1
    if earlier:
        ran = now - earlier.get("started", now)
        delay = next_delay(earlier.get("delay"), ran)
        print(f"supervisor: {service} ended after {ran:.1f} s; start {starts} in {delay:.1f} s", flush=True)
        stop_earlier(earlier)
        time.sleep(delay)
    spec = json.loads((folder / "services" / f"{service}.json").read_text())
    os.chdir(spec["cwd"])
    note(state, os.getpid(), delay=delay, started=time.monotonic(), starts=starts)
    os.execvpe(spec["argv"][0], spec["argv"], spec["env"])  # noqa: S606 - becoming the service is the point


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
