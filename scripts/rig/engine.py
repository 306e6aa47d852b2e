"""One real program of the rig as a child process: started, waited for, killed and started again, always cleaned up."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fleet.web import UnreachableError, ask

PORTS = range(20_000, 32_000)
PAUSE = threading.Event()  # never set: waiting for it is a pause that Ctrl-C ends at once


class EngineError(Exception):
    """A program did not start, or ended by itself: the message shows the end of its log."""


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens at, and that no other caller is given in the next minutes.

    It lies below those that the system gives to clients: one of these may be some connection's own end by the time its
    program starts. All processes of this user take turns, so that two that start at a time never get the same.
    """
    with (Path(tempfile.gettempdir()) / f"eddie-ports-{os.getuid()}").open("a+") as turns:
        fcntl.flock(turns, fcntl.LOCK_EX)
        turns.seek(0)
        port = int(turns.read() or PORTS.start)
        for _ in PORTS:
            port = port + 1 if port + 1 in PORTS else PORTS.start
            with contextlib.suppress(OSError), socket.create_server(("", port)):
                turns.truncate(0)
                turns.write(str(port))
                return port
    raise EngineError(f"none of the ports {PORTS.start} to {PORTS.stop - 1} is free")


def wait_for(check: Callable[[], bool], within: float, every: float = 0.1) -> bool:
    """Ask ``check`` until it says yes or ``within`` seconds are over; an unreachable address is a no."""
    deadline = time.monotonic() + within
    while True:
        with contextlib.suppress(UnreachableError):
            if check():
                return True
        if time.monotonic() >= deadline:
            return False
        PAUSE.wait(every)


@dataclass
class Engine:
    """A program with its command, environment and address; ``path`` below ``url`` answers 200 when it is ready."""

    name: str
    command: list[str]
    url: str
    path: str
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    _process: subprocess.Popen[bytes] | None = None

    def start(self, within: float = 30.0) -> None:
        """Start it and wait until it is ready; raises EngineError with the end of its log otherwise."""
        self.launch()
        self.wait_ready(within)

    def launch(self) -> None:
        """Start it without waiting, in a session of its own: Ctrl-C is the rig's to handle."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                env={**os.environ, **self.environment},
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_ready(self, within: float = 30.0) -> None:
        """Wait until it answers; raises EngineError when it ended or is not ready in time."""

        def ready() -> bool:
            if not self.running:
                raise EngineError(f"{self.name} ended by itself; {self.log} ends with:\n{self.last_words()}")
            return ask(f"{self.url}{self.path}", timeout=2.0).status == 200

        if not wait_for(ready, within):
            raise EngineError(
                f"{self.name}: expected 200 from {self.url}{self.path} within {within:.0f} s, got none; {self.log} ends"
                f" with:\n{self.last_words()}"
            )

    @property
    def running(self) -> bool:
        """Say whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Return the process's id; raises EngineError where there is none."""
        if self._process is None:
            raise EngineError(f"{self.name}: expected a process, got none: start it first")
        return self._process.pid

    def stop(self, grace: float = 15.0) -> None:
        """Ask it to end, and end it after ``grace`` seconds; on a process that is gone this does nothing."""
        if self._process is None:
            return
        if self.running:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace)
        self.kill()

    def kill(self) -> None:
        """End it and its children at once, as a crash would."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def last_words(self, lines: int = 15) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""
