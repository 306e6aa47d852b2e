"""A real exporter under test: one data directory, one port, started again and again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.support.chaos.disks import Disk
from tests.support.chaos.reading import get
from tests.support.eventually import eventually

from rig.engine import free_port

EXPORTER = (sys.executable, "-m", "eddie_exporter")
SLOWEST_START = 60.0
"""Seconds; on a machine that does nothing else it is one."""


class Exporter:
    """The process, its port, its data directory, its log; and how long each start took until it was ready."""

    def __init__(
        self, folder: Path, data: Path | None = None, *, command: Sequence[str] = EXPORTER, **env: str
    ) -> None:
        self.port = free_port()
        self.data = folder / "data" if data is None else data
        self.log = folder / "exporter.log"
        self.ready_seconds: list[float] = []
        self.ready_cost: list[float] = []
        self.process: subprocess.Popen[bytes] | None = None
        self.command = tuple(command)
        self.env = {
            "EDDIE_PORT": str(self.port),
            "EDDIE_DOCKER": "false",
            "EDDIE_LOG_LEVEL": "warning",
            "EDDIE_DATA_DIR": str(self.data),
            **env,
        }

    @property
    def pid(self) -> int:
        """The process that runs now."""
        assert self.process is not None, "expected a running exporter, got none"
        return self.process.pid

    def spawn(self, **more: str) -> subprocess.Popen[bytes]:
        """Start a process and wait for nothing."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("EDDIE_", "DOCKER_"))}
        self.data.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env={**clean, **self.env, **more},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self.process

    def start(self, **more: str) -> float:
        """Start, and return when it is ready; answers the seconds that took."""
        began = time.monotonic()
        self.spawn(**more)
        eventually(self._ready, within=SLOWEST_START, every=0.01)
        self.ready_seconds.append(time.monotonic() - began)
        self.ready_cost.append(self.processor_seconds())
        return self.ready_seconds[-1]

    def _ready(self) -> None:
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(f"expected a start, got exit {self.process.returncode}: {self.said()[-2000:]}")
        try:
            status, body = get(self.port, "/health/ready")
        except OSError as error:
            raise AssertionError(f"expected it to be ready, got {error}; its log: {self.said()[-2000:]!r}") from error
        assert status == 200, body

    def processor_seconds(self) -> float:
        """Answer what the process has cost so far: unlike the time by the wall, other programs hardly change it."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def said(self) -> str:
        """Answer its log."""
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    def kill(self) -> None:
        """End it by SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def lose_power(self, disk: Disk) -> None:
        """End it together with the disk it lives on, and give the disk its power back."""
        assert self.process is not None
        disk.cut(self.process)
        disk.power_on()

    def stop(self, within: float = 10) -> int:
        """End it by SIGTERM, and answer its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within)

    def exit_code(self, within: float = 20) -> int:
        """Wait until it has ended by itself, and answer its exit code."""
        assert self.process is not None
        return self.process.wait(within)

    def restart(self) -> float:
        """Start again after an end."""
        return self.start()


@contextlib.contextmanager
def exporter(
    folder: Path, data: Path | None = None, *, command: Sequence[str] = EXPORTER, **env: str
) -> Iterator[Exporter]:
    """Run an exporter until the block is left."""
    one = Exporter(folder, data, command=command, **env)
    try:
        one.start()
        yield one
    finally:
        one.kill()
