"""A native stack for a test: the code of `make up` itself, in a folder and on ports of its own."""

from __future__ import annotations

import os
import re
import shutil
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from tests.support.programs import ROOT, program

from rig.engine import free_port
from stack import native, secretfiles, settings
from stack.model import Context, ServiceRow
from stack.native_places import Places, places
from stack.native_processes import running


def free_ports(names: tuple[str, ...] = tuple(settings.PORT_KEYS)) -> dict[str, int]:
    """Return a free port for each name, all different."""
    return {name: free_port() for name in names}


def faster(folder: Path) -> Path:
    """Copy the configurations, with a scrape every second; the rest is as shipped."""
    for part in ("prometheus", "alertmanager", "grafana/provisioning"):
        shutil.copytree(ROOT / part, folder / part, symlinks=True)
    file = folder / "prometheus" / "prometheus.yml"
    text, found = re.subn(r"(?m)^(  (?:scrape|evaluation)_(?:interval|timeout): ).*$", r"\g<1>1s", file.read_text())
    assert found == 3, f"expected two intervals and a timeout in {file}, got {found}"
    file.write_text(text)
    # An alert that fires before Prometheus knows its Alertmanager is sent again after this long: a minute as shipped.
    flags = folder / "prometheus" / "flags"
    flags.write_text(flags.read_text().replace("resend-delay=1m", "resend-delay=2s"))
    return folder


@dataclass
class Native:
    """One native stack and what it said."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    ports: dict[str, int] = field(default_factory=free_ports)

    @property
    def ctx(self) -> Context:
        """The context `make up` would have."""
        keys = {settings.PORT_KEYS[name]: str(port) for name, port in self.ports.items()}
        env = settings.load(ROOT, {**os.environ, "EDDIE_DOCKER": "false", **keys, **self.env})
        run, secrets = self.folder / "run", self.folder / "secrets"
        secretfiles.ensure(secrets, None)
        return Context(ROOT, env, run, secrets, self.ports, self.said.append)

    @property
    def place(self) -> Places:
        """Where it keeps its files."""
        return places(self.ctx)

    def up(self) -> None:
        """Start it, or skip the test where the machine lacks a program."""
        program("prometheus")
        program("alertmanager")
        native.up(self.ctx)

    def down(self) -> None:
        """End it."""
        native.down(self.ctx)

    def rows(self) -> dict[str, ServiceRow]:
        """Return its table by service."""
        return {row.name: row for row in native.status(self.ctx)}

    def pids(self) -> dict[str, int]:
        """Return its processes by name, keepers included."""
        return running(self.place)

    def address(self, service: str) -> str:
        """Return where a service listens."""
        return f"http://127.0.0.1:{self.ports[service]}"

    def send(self, kind: str, **fields: Any) -> None:
        """Send one event."""
        token = (self.ctx.secrets / "exporter" / "ingest_token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        answer = ask("POST", f"{self.address('exporter')}/events/{kind}", json=fields, headers=headers)
        assert answer.status_code == 202, answer.text

    def value(self, query: str) -> float | None:
        """Return what Prometheus answers to a query of one series, None for none."""
        answer = ask("GET", f"{self.address('prometheus')}/api/v1/query", params={"query": query})
        result = answer.json()["data"]["result"]
        return float(result[0]["value"][1]) if result else None


def ask(method: str, address: str, **more: Any) -> httpx.Response:
    """Ask without a proxy; nothing that answers is an OSError, as `eventually` expects it."""
    try:
        with httpx.Client(trust_env=False, timeout=5) as client:
            return client.request(method, address, **more)
    except httpx.TransportError as error:
        raise OSError(str(error)) from error


def listening(port: int) -> bool:
    """Tell whether anything on this machine listens on the port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
