"""Station "draw": the stat panel as tiles: a big value each, its name, its colour and the line behind it."""

from __future__ import annotations

from typing import Any

from eddie_board.dashboard import Panel
from eddie_board.draw.columns import Columns, finite
from eddie_board.draw.model import Tile, Tiles
from eddie_board.draw.single import Single, empty_text, notes, singles
from eddie_board.queries import Window
from eddie_board.shared import Answer


def tiles(panel: Panel, answer: Answer, window: Window) -> Tiles:
    """Draw ``panel`` from ``answer``."""
    options, found = panel.options, singles(panel, answer)
    words = options.get("textMode") or "auto"
    named = words in ("name", "value_and_name") or (words == "auto" and len(found) > 1)
    valued = words in ("auto", "value", "value_and_name")
    sparks = options.get("graphMode", "area") == "area"
    ground = str(options.get("colorMode") or "value")
    items = tuple(
        Tile(
            name=each.field.name if named else "",
            text=each.text if valued else "",
            value=each.value,
            ink=each.ink,
            fill=ground.startswith("background"),
            spark=spark(each, window) if sparks and len(each.series.times) > 1 else None,
        )
        for each in found
    )
    side_by_side = (options.get("orientation") or "auto") in ("vertical", "auto") and panel.w >= panel.h
    return Tiles(items, upright=side_by_side, empty=empty_text(panel), notes=notes(options))


def spark(single: Single, window: Window) -> dict[str, Any]:
    """Give the small chart behind a value: no axes, no names, and nothing to point at."""
    columns = Columns()
    columns.put(single.series.times, finite(single.series.values))
    hidden = {"show": False}
    return {
        "animation": False,
        "grid": {"left": 0, "right": 0, "top": 4, "bottom": 0},
        "xAxis": {"type": "time", "min": round(window.start * 1000), "max": round(window.end * 1000), **hidden},
        "yAxis": {"type": "value", "scale": True, **hidden},
        "dataset": columns.datasets,
        "series": [
            {
                "type": "line",
                "seriesLayoutBy": "row",
                "encode": {"x": 0, "y": 1},
                "showSymbol": False,
                "silent": True,
                "itemStyle": single.ink.option(),
                "lineStyle": {"width": 1, **single.ink.option()},
                "areaStyle": {"opacity": 0.15, **single.ink.option()},
            }
        ],
    }
