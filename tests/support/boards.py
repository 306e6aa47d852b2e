"""A real board for a test: the process on a free port, with a real stack behind it, and what its data stands for."""

from __future__ import annotations

import json
import sys
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.support import history
from tests.support.alive import tell
from tests.support.stacks import FACTOR, needs

from fleet.web import ask
from rig.engine import Engine, free_port
from rig.programs import ROOT
from rig.stack import Stack

UID = "eddie-distributed-fallback"
SHIPPED = ROOT / "grafana/provisioning/dashboards"
PANELS: dict[str, str] = {
    str(panel["id"]): panel["title"] for panel in json.loads((SHIPPED / f"{UID}.json").read_text())["panels"]
}
"""Titles of the dashboard's panels by id."""

REFRESH = 2
"""Seconds between two refreshes of a test's page: written into its copy of the dashboard."""

NEVER = 10**10
"""Such a refresh for pages that have to stay as they are: the next is due in some centuries."""


@dataclass
class Board:
    """A running board: its engine, its address, the stack it looks at, and when the stack's past ends (0: none)."""

    engine: Engine
    stack: Stack
    dashboards: Path
    past: float = 0.0

    @property
    def url(self) -> str:
        """Return its address."""
        return self.engine.url

    def page(self, panel: int | str | None = None, **address: str | list[str]) -> str:
        """Return the dashboard's address; ``start`` and ``end`` are ``from`` and ``to``, others are variables."""
        times = {"from": address.pop("start", "now-1h"), "to": address.pop("end", "now")}
        choices = {f"var-{name}": value for name, value in address.items()}
        alone = {} if panel is None else {"viewPanel": str(panel)}
        return f"{self.url}/d/{UID}?{urllib.parse.urlencode({**times, **choices, **alone}, doseq=True)}"

    def still(self) -> dict[str, str]:
        """Return ``start`` and ``end`` of an hour that is over: what Prometheus answers about it stays as it is."""
        end = int(self.past) // 60 * 60 - 60
        return {"start": str((end - 3000) * 1000), "end": str(end * 1000)}

    def queries_seen(self) -> float:
        """Return how many queries Prometheus has answered on its routes for them, by its own count."""
        text = ask(f"{self.stack.url('prometheus')}/metrics", timeout=10).text
        lines = [line for line in text.splitlines() if line.startswith("prometheus_http_requests_total{")]
        return sum(float(line.rpartition(" ")[2]) for line in lines if 'handler="/api/v1/query' in line)


def quicker(folder: Path, refresh: int) -> Path:
    """Copy the shipped dashboards with a refresh of so many seconds, for nobody wants to wait 30 in a test."""
    folder.mkdir(parents=True)
    for file in SHIPPED.glob("*.json"):
        dashboard: dict[str, Any] = json.loads(file.read_text())
        (folder / file.name).write_text(json.dumps({**dashboard, "refresh": f"{refresh}s"}))
    return folder


def engine(folder: Path, stack: Stack, port: int, dashboards: Path, **settings: str) -> Engine:
    """Build a board's process in front of ``stack``, in Grafana's place."""
    url = f"http://127.0.0.1:{port}"
    environment = {
        "EDDIE_BOARD_PORT": str(port),
        "EDDIE_BOARD_SCRAPE_SECONDS": "1",
        "EDDIE_BOARD_TIMEOUT_SECONDS": "5",
        "EDDIE_DASHBOARDS_PATH": str(dashboards),
        "EDDIE_PROMETHEUS_URL": stack.url("prometheus"),
        "EDDIE_ALERTMANAGER_URL": stack.url("alertmanager"),
        **{f"EDDIE_{each.upper()}_PUBLIC_URL": stack.url(each) for each in ("prometheus", "alertmanager", "exporter")},
        "EDDIE_GRAFANA_PUBLIC_URL": url,
        "PYTHONPATH": str(ROOT / "board/src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        **settings,
    }
    (folder / "board").mkdir(exist_ok=True)
    command = [sys.executable, "-m", "eddie_board"]
    return Engine("board", command, url, "/api/health", folder / "board.log", environment, folder / "board")


@contextmanager
def standing(
    folder: Path,
    *,
    hours: float = 1.0,
    told: bool = False,
    factor: float = FACTOR,
    refresh: int = REFRESH,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Board]:
    """Run a stack with ``hours`` of the past and a board before it until the block is left, or skip with the reason.

    ``told``: a storm has just passed too, so that alerts fire. ``settings`` are the board's own, as in its environment.
    """
    needs("prometheus", "promtool", "alertmanager", "amtool")
    port = free_port()
    with Stack(folder, factor=factor) as stack:
        stack.urls["grafana"] = f"http://127.0.0.1:{port}"  # Prometheus writes it into its alerts' links
        past = history.made(stack, hours) if hours else 0.0
        stack.start("exporter", "prometheus", "alertmanager")
        if told:
            tell(stack)
        board = Board(
            engine(folder, stack, port, dashboards := quicker(folder / "dashboards", refresh), **settings),
            stack,
            dashboards,
            past,
        )
        try:
            board.engine.start()
            yield board
        finally:
            board.engine.stop()
