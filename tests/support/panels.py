"""Panels and answers for tests of the drawings: made up, or the shipped dashboard's own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from eddie_board.dashboard import Panel
from eddie_board.draw import drawing
from eddie_board.draw.model import Chart
from eddie_board.frames import Mark, Series
from eddie_board.queries import Window
from eddie_board.shared import Answer
from rig.programs import ROOT

START = 1_795_480_000.0
WINDOW = Window(start=START, end=START + 900)
TIMES = tuple(START + 15 * at for at in range(61))
SHIPPED = ROOT / "grafana/provisioning/dashboards/eddie-distributed-fallback.json"
COUNT = len(json.loads(SHIPPED.read_text())["panels"])
"""How many panels the shipped dashboard has: one that is added there appears on the board by itself."""

HOSTILE = (
    '<img src=x onerror=window.pwned=1> "q\'" {b} {{a}} {name|x}',
    "𝕏" * 128,
    ":alert(1)",
    "__proto__",
    "a\u202eb",
)
"""Names that an agent may give itself, and that must be shown as they are."""


def panel(kind: str = "timeseries", *, width: int = 8, **parts: Any) -> Panel:
    """Make a panel of type ``kind``; ``parts`` are ``defaults``, ``overrides``, ``options`` and ``raw``."""
    config = {"defaults": parts.get("defaults") or {}, "overrides": parts.get("overrides") or []}
    return Panel(
        id=1, title="t", description="", type=kind, x=0, y=0, w=width, h=9, targets=(), field_config=config,
        options=parts.get("options") or {}, raw=parts.get("raw") or {}, dashboard="d", digest="",
    )  # fmt: skip


def shipped() -> Iterator[Panel]:
    """Yield the panels of the shipped dashboard."""
    for raw in json.loads(SHIPPED.read_text())["panels"]:
        grid = raw["gridPos"]
        yield Panel(
            id=raw["id"], title=raw["title"], description=raw["description"], type=raw["type"], x=grid["x"],
            y=grid["y"], w=grid["w"], h=grid["h"], targets=tuple(raw["targets"]), field_config=raw["fieldConfig"],
            options=raw["options"], raw=raw, dashboard="d", digest="",
        )  # fmt: skip


def series(
    name: str, values: Sequence[float | None] = (1.0,) * 61, ref: str = "A", labels: Mapping[str, str] | None = None
) -> Series:
    """Make a series over as many times as it has ``values``, 15 s apart."""
    return Series(ref, name, labels or {"agent_id": name}, TIMES[: len(values)], tuple(values))


def answer(*found: Series, marks: Sequence[Mark] = ()) -> Answer:
    """Make the answer that holds ``found``."""
    return Answer(
        panel_id=1, state="ok" if found else "empty", series=found, marks=tuple(marks), as_of=START, window=WINDOW
    )


def charted(shown: Panel, *found: Series, marks: Sequence[Mark] = ()) -> Chart:
    """Draw ``shown`` from ``found``, which must make a chart."""
    drawn = drawing(shown, answer(*found, marks=marks), WINDOW)
    assert isinstance(drawn, Chart), f"expected a chart, got {drawn}"
    return drawn


def behind(chart: Chart, key: str) -> tuple[list[float], list[float | None]]:
    """Return the times in ms and the numbers that the series called ``key`` is drawn from."""
    (option,) = [each for each in chart.options["series"] if each["name"] == key]
    source = chart.options["dataset"][option["datasetIndex"]]["source"]
    return source[0], source[option["encode"]["y"]]


def expressions(option: Any) -> Iterator[str]:
    """Yield every text of an option that the browser evaluates: what stands under a key with a colon."""
    if isinstance(option, dict):
        for key, value in option.items():
            if str(key).startswith(":"):
                yield value
            else:
                yield from expressions(value)
    elif isinstance(option, list):
        for each in option:
            yield from expressions(each)
