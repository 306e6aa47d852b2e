"""A Prometheus of a few lines for the board's tests: it counts what it is asked, and answers as it is told."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from eddie_board.dashboard import Dashboards
from eddie_board.prometheus import Prometheus
from eddie_board.settings import Settings
from eddie_board.shared import Board

START = 1_800_000_000.0


class Answering:
    """Answers every query with one series of ones; ``fault`` (status and body) instead, where it is set.

    ``asked`` counts questions, ``names`` are every label's values, ``held`` lets no answer out
    until it is set; ``begun`` is when the first question came.
    """

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.names: list[str] = ["arthur", "ford"]
        self.fault: tuple[int, str] | Exception | None = None
        self.refused: str = ""
        self.retention = "15d"
        self.held: asyncio.Event | None = None
        self.begun = asyncio.Event()
        self.now = START

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request of the board's client."""
        path = request.url.path.removeprefix("/api/v1/")
        given = dict(request.url.params) | dict(httpx.QueryParams(request.content.decode()))
        self.asked[f"{path} {given.get('query', given.get('match[]', ''))}".strip()] += 1
        self.begun.set()
        if self.held is not None:
            await self.held.wait()
        if isinstance(self.fault, Exception):
            raise self.fault
        if self.fault is not None:
            return httpx.Response(self.fault[0], text=self.fault[1])
        if self.refused and self.refused in given.get("query", ""):
            return httpx.Response(400, json={"status": "error", "errorType": "bad_data", "error": "parse error: no"})
        return httpx.Response(200, json={"status": "success", "data": self._data(path, given)})

    def _data(self, path: str, given: dict[str, str]) -> Any:
        if path.startswith("label/"):
            return self.names
        if path == "status/runtimeinfo":
            return {"storageRetention": self.retention}
        if path == "query":
            return {"resultType": "vector", "result": [{"metric": {"x": "y"}, "value": [float(given["time"]), "1"]}]}
        start, end, step = (float(given[key]) for key in ("start", "end", "step"))
        values = [[start + step * number, "1"] for number in range(int((end - start) / step) + 1)]
        return {"resultType": "matrix", "result": [{"metric": {"x": "y"}, "values": values}]}

    def queries(self) -> Counter[str]:
        """Return how often each range query was asked."""
        return Counter({key: count for key, count in self.asked.items() if key.startswith("query_range")})

    def prometheus(self, **settings: Any) -> Prometheus:
        """Return the board's client of this Prometheus."""
        return Prometheus(Settings(**settings), httpx.AsyncClient(transport=httpx.MockTransport(self)))

    def board(self, folder: Path, *panels: dict[str, Any], **more: Any) -> Board:
        """Return a board whose only dashboard is a page() in ``folder``."""
        (folder / "page.json").write_text(json.dumps(page(*panels, **more)))
        prometheus = self.prometheus()
        return Board(prometheus.settings, Dashboards((folder,)), prometheus, clock=lambda: self.now)


def panel(number: int, *expressions: str, **more: Any) -> dict[str, Any]:
    """Return a time series panel with one query for each of ``expressions``."""
    targets = [{"refId": "ABCDEF"[place], "expr": text} for place, text in enumerate(expressions)]
    place = {"x": 0, "y": 8 * number, "w": 12, "h": 8}
    return {
        "id": number,
        "type": "timeseries",
        "title": f"Panel {number}",
        "gridPos": place,
        "targets": targets,
        **more,
    }


def page(*panels: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return classic dashboard JSON with ``panels``, and the variable ``agent``."""
    agent = {
        "name": "agent",
        "label": "Agent",
        "type": "query",
        "query": {"query": "label_values(up, agent_id)"},
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"value": "$__all"},
    }
    return {"uid": "page", "title": "Page", "panels": list(panels), "templating": {"list": [agent]}, **more}
