"""Native mode's places: where a stack without containers keeps its files, data, logs and notes, below `.run`."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from stack.model import Context

SERVICES = ("exporter", "prometheus", "alertmanager", "grafana", "board")
"""In the order of the data's way, which is also the order of starting."""
_LONGEST_SOCKET = 95
"""Bytes: the kernel takes 107 for a socket's path, and its name comes on top."""


@dataclass(frozen=True, slots=True)
class Places:
    """The folders and files of one native stack."""

    run: Path

    @property
    def native(self) -> Path:
        """What `make up` writes anew at each start: configurations, services, notes."""
        return self.run / "native"

    @property
    def services(self) -> Path:
        """One file a service: what to start, with which environment; only the owner reads them."""
        return self.native / "services"

    @property
    def state(self) -> Path:
        """One note a process: which it is, since when, how often it was started."""
        return self.native / "state"

    @property
    def data(self) -> Path:
        """What `make down` keeps, a folder a service."""
        return self.run / "data"

    @property
    def logs(self) -> Path:
        """One file a service, rotated by the supervisor."""
        return self.run / "logs"

    def log(self, service: str) -> Path:
        """Return a service's log file."""
        return self.logs / f"{service}.log"

    def make(self) -> None:
        """Make every folder, for the owner alone."""
        folders = [self.native, self.services, self.state, self.data, self.logs]
        for folder in [*folders, *(self.data / service for service in SERVICES)]:
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)

    def sockets(self) -> Path:
        """Return a folder for the supervisor's sockets: ours, or a private one elsewhere where our path is too long."""
        if len(str(self.native).encode()) <= _LONGEST_SOCKET - 12:
            return self.native
        return Path(tempfile.mkdtemp(prefix="eddie-"))


def places(ctx: Context) -> Places:
    """Return the places of a context's stack."""
    return Places(ctx.run.absolute())
