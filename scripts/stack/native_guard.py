"""Native mode's guard: keeps the supervisor itself alive, detached from the terminal, until `make down`.

Run as `python -m stack.native_guard <folder>`; it returns at once and leaves the guard behind. When the supervisor is
killed, its services end with it (see the launcher), and the guard starts it again, which starts them again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from stack.native_launch import next_delay, note


class Guard:
    """Starts the supervisor until it is asked to end; restarts keep the services' rhythm."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._child: subprocess.Popen[bytes] | None = None
        self._ending = False

    def run(self) -> None:
        """Keep the supervisor running; returns once it ended because it was asked to."""
        note(self._folder / "state" / "guard.json", os.getpid())
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, self._end)
        delay: float | None = None
        while not self._ending:
            started = time.monotonic()
            if self._once() == 0:
                return
            delay = next_delay(delay, time.monotonic() - started)
            time.sleep(delay)

    def _once(self) -> int:
        """Run the supervisor until it ends; returns its exit status."""
        for left in Path((self._folder / "sockets").read_text().strip()).glob("*.sock"):
            left.unlink()  # of a supervisor that was killed; it does not start while one lies there
        command = [sys.executable, "-P", "-m", "stack.native_supervisor", str(self._folder / "circus.ini")]
        self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        note(self._folder / "state" / "supervisor.json", self._child.pid)
        if self._ending:
            self._child.terminate()
        return self._child.wait()

    def _end(self, _signal: int, _frame: FrameType | None) -> None:
        """Ask the supervisor to end, and again every second: it refuses while it is busy starting something."""
        self._ending = True
        signal.setitimer(signal.ITIMER_REAL, 1.0)
        if self._child is not None:
            self._child.terminate()


def main(folder: Path) -> None:
    """Detach from the caller's terminal and session, then guard."""
    os.chdir(folder)
    if os.fork():
        os._exit(0)
    os.setsid()
    os.umask(0o077)
    Guard(folder).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
