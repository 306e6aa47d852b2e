"""Station "draw": the tooltip of a chart: its settings; what stands in it is made by draw.js, as text only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from eddie_board.draw.colours import CROSS, TEXT, Ink
from eddie_board.draw.expressions import call
from eddie_board.draw.fields import Field

GROUND = Ink("#ffffff", "#22252b")
EDGE = Ink("#d8d9dc", "#34363d")


def frame() -> dict[str, Any]:
    """Give how every tooltip looks; it lies in the page's body, so that no panel cuts it off."""
    return {
        "appendTo": "body",
        "className": "eddie-tooltip",
        "transitionDuration": 0,
        ":position": "eddieDraw.place",
        "padding": [8, 10],
        "borderWidth": 1,
        **GROUND.option("backgroundColor"),
        **EDGE.option("borderColor"),
        "textStyle": {"fontSize": 12, **TEXT.option()},
    }


def units(told: Sequence[Field | None]) -> tuple[list[dict[str, Any]], list[int]]:
    """Give the different ways to write numbers, and which of them each series has; -1 is a series that is not told."""
    ways: list[dict[str, Any]] = []
    of = []
    for each in told:
        way = None if each is None else {**each.unit.spec(each.decimals), "mapped": _mapped(each)}
        if way is not None and way not in ways:
            ways.append(way)
        of.append(-1 if way is None else ways.index(way))
    return ways, of


def over_time(options: Mapping[str, Any], told: Sequence[Field | None], marks: int) -> dict[str, Any]:
    """Give the tooltip of a chart over time: all series at the pointer's time; ``marks`` is the annotations' series."""
    asked = options.get("tooltip") or {}
    ways, of = units(told)
    sort = asked.get("sort") if asked.get("sort") in ("asc", "desc") else ""
    spec = {
        "units": ways,
        "of": of,
        "sort": sort,
        "hideZeros": bool(asked.get("hideZeros")),
        "height": asked.get("maxHeight") if isinstance(asked.get("maxHeight"), int) else 400,
        "marks": marks,
    }
    pointer = {"type": "line", "snap": False, "animation": False, "label": {"show": False}}
    return {
        **frame(),
        "show": asked.get("mode") != "none",
        "trigger": "axis",
        "axisPointer": {**pointer, "lineStyle": {"type": "dashed", "width": 1, **CROSS.option()}},
        ":formatter": call("tooltip", spec),
    }


def _mapped(shown: Field) -> list[tuple[float | None, float | None, str]]:
    found: list[tuple[float | None, float | None, str]] = []
    for mapping in shown.mappings:
        options = mapping.get("options") or {}
        if mapping.get("type") == "range" and (options.get("result") or {}).get("text") is not None:
            found.append((options.get("from"), options.get("to"), str(options["result"]["text"])))
        for key, result in options.items() if mapping.get("type") == "value" else ():
            try:
                value = float(key)
            except ValueError:
                continue
            if isinstance(result, dict) and result.get("text") is not None and math.isfinite(value):
                found.append((value, value, str(result["text"])))
    return found
