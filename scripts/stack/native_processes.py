"""Native mode's processes: which run, found by the notes they left, and how they are started and ended."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from stack.model import Context, StackError
from stack.native_launch import read, start_ticks
from stack.native_places import SERVICES, Places

KEEPERS = ("guard", "supervisor")
STOP_WITHIN = 45.0
"""Seconds for an orderly end; Prometheus writes its last samples. The supervisor kills a service after 20 s."""


def pid_of(place: Places, name: str) -> int | None:
    """Return the id of a running process of the stack, or None: a pid alone may belong to somebody else by now."""
    noted = read(place.state / f"{name}.json")
    pid, ticks = noted.get("pid"), noted.get("ticks")
    return pid if isinstance(pid, int) and ticks is not None and start_ticks(pid) == ticks else None


def running(place: Places) -> dict[str, int]:
    """Return every running process of the stack, keepers included, by name."""
    pids = {name: pid_of(place, name) for name in (*KEEPERS, *SERVICES)}
    return {name: pid for name, pid in pids.items() if pid is not None}


def configured(place: Places) -> list[str]:
    """Return the services the stack was last started with, in their order."""
    return [name for name in SERVICES if (place.services / f"{name}.json").is_file()]


def starts(place: Places, name: str) -> int:
    """Return how often a service was started since `make up`."""
    return int(read(place.state / f"{name}.json").get("starts", 0))


def start(ctx: Context, place: Places) -> None:
    """Start the guard, which starts the supervisor, which starts the services; returns before they are ready."""
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("PYTHON")},
        "PYTHONPATH": str(ctx.root / "scripts"),
        "PYTHONUTF8": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with place.log("supervisor").open("ab") as log:
        subprocess.run(
            [str(python(ctx)), "-P", "-m", "stack.native_guard", str(place.native)],
            env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True,
        )  # fmt: skip


def python(ctx: Context) -> Path:
    """Return the virtual environment's Python; raises StackError where there is none."""
    binary = ctx.root / (ctx.env.get("EDDIE_VENV") or ".venv") / "bin" / "python"
    if not binary.exists():
        raise StackError(f"expected {binary}, it is not there; run scripts/venv.sh native")
    return binary


def stop(place: Places) -> bool:
    """End exactly what the stack started, by its keeper, or by hand where that is gone; returns whether any ran.

    Raises StackError for a process that does not even end when killed.
    """
    before = running(place)
    keeper = [name for name in KEEPERS if name in before][:1]
    plan: list[tuple[list[str], signal.Signals, float]] = [
        (keeper, signal.SIGTERM, STOP_WITHIN),
        ([*KEEPERS, *SERVICES], signal.SIGTERM, 15.0),
        ([*KEEPERS, *SERVICES], signal.SIGKILL, 5.0),
    ]
    for names, number, within in plan:
        if _ended(place, names, number, within):
            break
    else:
        raise StackError(
            f"expected every process to end, got {running(place)} (name: pid) still there; end them by hand"
        )
    _clear(place)
    return bool(before)


def _signal(place: Places, names: list[str], number: signal.Signals) -> None:
    """Send a signal to the named processes, as far as they run."""
    for name in names:
        pid = pid_of(place, name)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def _ended(place: Places, names: list[str], number: signal.Signals, within: float) -> bool:
    """Signal the named processes, again every second, until none of the stack runs; returns whether that came in time.

    Again, because a supervisor that is busy starting something refuses to end.
    """
    began, sent = time.monotonic(), -1
    while running(place):
        passed = time.monotonic() - began
        if passed >= within or not any(pid_of(place, name) for name in names):
            return False
        if int(passed) > sent:
            sent = int(passed)
            _signal(place, names, number)
        time.sleep(0.05)
    return True


def _clear(place: Places) -> None:
    """Remove notes and sockets: they speak of processes that are gone."""
    for note in place.state.glob("*.json"):
        note.unlink()
    for folder in {Path(line) for line in _lines(place.native / "sockets")}:
        for left in folder.glob("*.sock"):
            left.unlink()
        if folder != place.native:
            shutil.rmtree(folder, ignore_errors=True)


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.is_file() else []
