"""Station "draw": panels that are no time series: tiles, gauges, bars and tables, and what nobody can draw."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.panels import HOSTILE, answer, charted, panel, series

from eddie_board.draw import drawing
from eddie_board.draw.colours import ink
from eddie_board.draw.model import Table, Tiles, Unknown

STEPS = {
    "mode": "absolute",
    "steps": [{"value": None, "color": "green"}, {"value": 25, "color": "orange"}, {"value": 45, "color": "red"}],
}
UNITS = {"unit": "suffix:x", "thresholds": STEPS, "min": 0, "max": 60}


def tiled(*names: str, **options: Any) -> Tiles:
    """Draw a stat panel of series called ``names`` with 1, 30 and no value."""
    values: tuple[tuple[float | None, ...], ...] = ((2.0, 1.0), (3.0, 30.0), (None, None))
    found = [series(name, row) for name, row in zip(names, values, strict=False)]
    drawn = drawing(panel("stat", defaults=UNITS, options=options), answer(*found))
    assert isinstance(drawn, Tiles)
    return drawn


def tabled(*found: Any, **parts: Any) -> Table:
    """Draw a table panel of ``found``."""
    drawn = drawing(panel("table", **parts), answer(*found))
    assert isinstance(drawn, Table)
    return drawn


def test_stat() -> None:
    """A stat panel shows the last value of each series in its threshold's colour, over its line."""
    tiles = tiled("a", "b", "c")
    assert [(tile.name, tile.text, tile.value) for tile in tiles.items] == [
        ("a", "1 x", 1.0), ("b", "30 x", 30.0), ("c", "No data", None),
    ]  # fmt: skip
    assert [tile.ink for tile in tiles.items] == [ink("green"), ink("orange"), ink("green")]
    assert all(tile.spark for tile in tiles.items)


def test_stat_of_one() -> None:
    """A single value needs no name, and another calculation is done when asked for; no line where none is wanted."""
    tiles = tiled("a", reduceOptions={"calcs": ["max"]}, graphMode="none", colorMode="background")
    (tile,) = tiles.items
    assert (tile.name, tile.text, tile.spark, tile.fill) == ("", "2 x", None, True)


def test_gauge() -> None:
    """Each gauge goes from least to greatest with its value; one without a value says so and has no arc."""
    chart = charted(panel("gauge", defaults=UNITS), series("a", (30.0,)), series("b", (None,)))
    arcs = [each for each in chart.options["series"] if each["data"]]
    assert [(arc["min"], arc["max"], arc["data"][0]["value"]) for arc in arcs] == [(0, 60, 30.0), (0, 60, None)]
    assert [arc["progress"]["show"] for arc in arcs] == [True, False]
    assert arcs[1]["detail"]["formatter"] == "No data"


def test_gauge_rim() -> None:
    """The thresholds stand around a gauge at their share of it."""
    chart = charted(panel("gauge", defaults=UNITS), series("a", (30.0,)))
    rim = chart.options["series"][1]["axisLine"]["lineStyle"]["color"]
    assert [share for share, _ in rim] == [25 / 60, 45 / 60, 1]


@pytest.mark.parametrize("kind", ["bargauge", "barchart"])
def test_bars(kind: str) -> None:
    """Bars carry the series' last values and names as they are."""
    chart = charted(panel(kind, defaults=UNITS), *(series(name, (1.0, 40.0)) for name in HOSTILE))
    (bars, *_) = chart.options["series"]
    axis = chart.options["yAxis" if kind == "bargauge" else "xAxis"]
    assert [bar["value"] for bar in bars["data"]] == [40.0] * len(HOSTILE)
    assert axis["data"] == list(HOSTILE)


def test_bars_without_data() -> None:
    """Bars and gauges of an empty answer are empty, and no fault."""
    for kind in ("bargauge", "barchart", "gauge"):
        assert charted(panel(kind)).kind == kind


def test_table() -> None:
    """Queries become columns of one row where their labels are the same; numbers are in their unit and colour."""
    override = {
        "matcher": {"id": "byName", "options": "Value #B"},
        "properties": [{"id": "unit", "value": "bytes"}, {"id": "displayName", "value": "memory"}],
    }
    table = tabled(
        series("a", (1.0, 2.0), labels={"agent_id": "a", "__name__": "m"}),
        series("a", (1024.0,), ref="B", labels={"agent_id": "a", "__name__": "m"}),
        series("b", (3.0,), labels={"agent_id": "b"}),
        defaults={"custom": {"cellOptions": {"type": "color-text"}}, "thresholds": STEPS},
        overrides=[override],
    )
    assert table.titles == ("Time", "agent_id", "Value #A", "memory")
    assert [[cell.text for cell in row[1:]] for row in table.rows] == [["a", "2", "1 KiB"], ["b", "3", ""]]
    assert table.rows[0][2].ink == ink("green")
    assert table.rows[0][3].number == 1024


def test_table_organized() -> None:
    """Columns are hidden, renamed, put in order and sorted as the panel says; other transformations are named."""
    organize = {
        "excludeByName": {"Time": True},
        "renameByName": {"Value": "n"},
        "indexByName": {"Value": 0, "agent_id": 1},
    }
    table = tabled(
        series("a", (1.0,)), series(HOSTILE[0], (5.0,)),
        options={"sortBy": [{"displayName": "n", "desc": True}]},
        raw={"transformations": [{"id": "organize", "options": organize}, {"id": "groupBy"}]},
    )  # fmt: skip
    assert table.titles == ("n", "agent_id")
    assert [[cell.text for cell in row] for row in table.rows] == [["5", HOSTILE[0]], ["1", "a"]]
    assert table.notes == ("transformations are not done here: groupBy",)


def test_unknown_type() -> None:
    """A type of panel that nobody can draw is named, not skipped."""
    assert drawing(panel("heatmap"), answer(series("a"))) == Unknown("heatmap")
