"""Station "draw": a time series panel becomes the chart Grafana makes of it, and its numbers stay Prometheus's own."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from tests.support.panels import HOSTILE, START, TIMES, answer, behind, charted, expressions, panel, series, shipped

from eddie_board.dashboard import Panel
from eddie_board.draw import drawing
from eddie_board.draw.colours import ink
from eddie_board.draw.model import Chart
from eddie_board.frames import Mark

CLASSIC = {"color": {"mode": "palette-classic"}}
STACKED = {"mode": "normal", "group": "A"}


def named(number: int) -> Panel:
    """Return the panel of the shipped dashboard with this id."""
    return next(each for each in shipped() if each.id == number)


def options(chart: Chart, key: str) -> dict[str, Any]:
    """Return the options of the series called ``key``."""
    (found,) = [each for each in chart.options["series"] if each["name"] == key]
    return dict(found)


def test_shipped_panels_are_drawn() -> None:
    """Every panel of the shipped dashboard becomes a chart that can be written as JSON, with and without data."""
    drawn = [drawing(each, answer(series("a"), series("b", ref="B"))) for each in shipped()]
    empty = [drawing(each, answer()) for each in shipped()]
    assert len(drawn) >= 11
    assert all(isinstance(each, Chart) for each in drawn + empty)
    assert all(json.dumps(each.options, allow_nan=False) for each in drawn + empty if isinstance(each, Chart))


def test_numbers_are_prometheus_own() -> None:
    """What lies behind a line is what Prometheus answered, to the last digit; only no-numbers are left out."""
    values = (0.1 + 0.2, None, 1e-300, math.nan, math.inf, 123456789.123456789, -1.0, 7.0)
    times, numbers = behind(charted(panel(), series("x", values)), "x")
    assert numbers == [0.1 + 0.2, None, 1e-300, None, None, 123456789.123456789, -1.0, 7.0]
    assert times == [round(time * 1000) for time in TIMES[:8]]


def test_series_of_one_query_share_their_times() -> None:
    """The times of a query are in the chart once."""
    chart = charted(panel(), *(series(name) for name in "abc"))
    (dataset,) = chart.options["dataset"]
    assert len(dataset["source"]) == 4


def test_axes_of_success_panel() -> None:
    """Two units make two axes, the right one with its label; lines that are read there are told in the legend."""
    chart = charted(
        named(5),
        series("s", ref="A"),
        series("success, 1 h", ref="B"),
        series("failures", ref="C"),
        series("r", ref="D"),
    )
    left, right = chart.options["yAxis"]
    assert (left["position"], right["position"], right["name"]) == ("left", "right", "failures")
    assert [row.right for row in chart.legend] == [False, False, True, True]
    assert [row.ink for row in chart.legend[1:3]] == [ink("green"), ink("red")]
    assert '"max": 1.0' in left[":max"]
    assert '"softMin": 0.8' in left[":min"]


def test_thresholds_of_both_axes() -> None:
    """Each axis has its own dashed threshold lines, overrides included."""
    chart = charted(named(5), series("s", ref="A"), series("failures", ref="C"))
    lines = [
        (each["yAxisIndex"], line["yAxis"], line["lineStyle"]["type"])
        for each in chart.options["series"]
        for line in (each.get("markLine") or {}).get("data", [])
    ]
    assert lines == [(0, 0.95, [10, 10]), (1, 0.1, [10, 10])]


def test_no_thresholds_without_style() -> None:
    """Thresholds of a panel that does not ask for their lines are not drawn."""
    steps = {"mode": "absolute", "steps": [{"value": None, "color": "green"}, {"value": 5, "color": "red"}]}
    chart = charted(panel(defaults={"thresholds": steps}), series("x"))
    assert not [each for each in chart.options["series"] if (each.get("markLine") or {}).get("data")]


def test_stacks() -> None:
    """Series that are stacked share a stack; one that an override takes out of it does not."""
    override = {
        "matcher": {"id": "byName", "options": "all"},
        "properties": [{"id": "custom.stacking", "value": {"mode": "none"}}],
    }
    chart = charted(
        panel(defaults={"custom": {"stacking": STACKED, "fillOpacity": 40}}, overrides=[override]),
        series("a"), series("b"), series("all"),
    )  # fmt: skip
    assert options(chart, "a")["stack"] == options(chart, "b")["stack"] is not None
    assert options(chart, "all")["stack"] is None
    assert options(chart, "a")["areaStyle"]["opacity"] == 0.4


def test_stack_reaches_its_sum() -> None:
    """The axis of a stack is stepped for the sum of what stands on each other."""
    custom = {"stacking": STACKED}
    alone = charted(panel(), series("a", (4.0,) * 9), series("b", (4.0,) * 9)).options["yAxis"][0]["interval"]
    stacked = charted(panel(defaults={"custom": custom}), series("a", (4.0,) * 9), series("b", (4.0,) * 9))
    assert (alone, stacked.options["yAxis"][0]["interval"]) == (1.0, 2.0)


def test_bars_dashes_steps() -> None:
    """Draw style, dash and interpolation are those of the field."""
    merge = charted(named(8), series("kept", ref="A"), series("dropped", ref="B"), series("efficiency, 1 h", ref="C"))
    latency = charted(named(3), series("p95 x", ref="A"), series("p99 x", ref="B"))
    limits = charted(named(6), series("box"))
    assert [each.get("type") for each in merge.options["series"][:3]] == ["bar", "bar", "line"]
    assert options(merge, "kept")["itemStyle"]["opacity"] == 0.7
    assert options(latency, "p95 x")["lineStyle"]["type"] == [4, 4]
    assert options(latency, "p99 x")["lineStyle"]["type"] == "solid"
    assert options(limits, "box")["step"] == "end"


@pytest.mark.parametrize(("missing", "bridged"), [((5,), True), ((5, 6), False)])
def test_gaps(missing: tuple[int, ...], *, bridged: bool) -> None:
    """One missing scrape (30 s from sample to sample) is bridged below 45 s; two (45 s) are a gap."""
    values = tuple(None if at in missing else 1.0 for at in range(12))
    _, numbers = behind(charted(panel(defaults={"custom": {"spanNulls": 45000}}), series("x", values)), "x")
    assert (None in numbers) is not bridged


def test_gaps_stay_without_span() -> None:
    """A panel that does not ask for it bridges no gap, and one that always does leaves it to the chart."""
    values = (1.0, None, 1.0)
    assert None in behind(charted(panel(), series("x", values)), "x")[1]
    assert options(charted(panel(defaults={"custom": {"spanNulls": True}}), series("x", values)), "x")["connectNulls"]


def test_lonely_sample_has_a_point() -> None:
    """A sample between gaps would be no line: it gets a point, and only it."""
    values = tuple(1.0 if at in (3, 20, 21) else None for at in range(61))
    chart = charted(panel(), series("x", values))
    option = options(chart, "x")
    row = int(option[":symbol"].removeprefix("eddieDraw.dot(").removesuffix(")"))
    marks = chart.options["dataset"][option["datasetIndex"]]["source"][row]
    assert [at for at, mark in enumerate(marks) if mark] == [3]


def test_no_points_on_a_dense_line() -> None:
    """A line of many samples has no points, one of few has them all, and one that wants none has none."""
    few = (1.0,) * 10
    assert options(charted(panel(), series("x")), "x")["showSymbol"] is False
    assert options(charted(panel(), series("x", few)), "x")["showSymbol"] is True
    never = panel(defaults={"custom": {"showPoints": "never"}})
    assert options(charted(never, series("x", few)), "x")["showSymbol"] is False


def test_bytes_are_stepped_by_powers_of_two() -> None:
    """A unit of 1024 has round steps of its own."""
    chart = charted(panel(defaults={"unit": "bytes"}), series("x", (0.0, 4.0 * 2**30)))
    assert chart.options["yAxis"][0]["interval"] == 2**30


def test_annotations() -> None:
    """Annotations are a line or a shaded time, and samples beside them carry the title as plain data."""
    marks = [
        Mark(TIMES[10], TIMES[10], HOSTILE[0], "", (), "a", "red"),
        Mark(TIMES[30], TIMES[40], "r", "", (), "a", "x"),
    ]
    chart = charted(panel(), series("x"), marks=marks)
    helper, titled = chart.options["series"][-2:]
    assert [line["xAxis"] for line in helper["markLine"]["data"]] == [TIMES[at] * 1000 for at in (10, 30, 40)]
    assert len(helper["markArea"]["data"]) == 1
    row = chart.options["dataset"][titled["datasetIndex"]]["source"][titled["encode"]["y"] + 1]
    assert (row[10], row[20], row[35]) == (HOSTILE[0], None, "r")


def test_legend_table() -> None:
    """A legend that is a table has its numbers in the unit, and the order the panel asks for."""
    chart = charted(named(2), series("a · x", (1.0, 3.0)), series("all", (5.0, 6.0), ref="B"), series("none", (None,)))
    assert (chart.legend_mode, chart.columns) == ("table", ("Mean", "Max"))
    assert [(row.name, row.texts) for row in chart.legend] == [
        ("all", ("5.50 /min", "6 /min")), ("a · x", ("2 /min", "3 /min")), ("none", ("", "")),
    ]  # fmt: skip


def test_same_names_can_be_told_apart() -> None:
    """Two series of one name look the same and are toggled one by one."""
    chart = charted(panel(), series("x", ref="A"), series("x", ref="B"))
    assert [row.name for row in chart.legend] == ["x", "x"]
    assert len({row.key for row in chart.legend}) == 2


def test_hidden_series() -> None:
    """What the panel hides from the picture, the legend or the tooltip is not there."""
    hide = {"viz": True, "legend": True, "tooltip": True}
    override = {"matcher": {"id": "byName", "options": "b"}, "properties": [{"id": "custom.hideFrom", "value": hide}]}
    chart = charted(panel(defaults=CLASSIC, overrides=[override]), series("a"), series("b"), series("c"))
    assert [row.name for row in chart.legend] == ["a", "c"]
    assert chart.legend[1].ink == ink("blue"), "a hidden series keeps its place in the palette"


def test_names_never_become_code() -> None:
    """No name of a series or a mark is in an expression, and none is a key that would be taken for one."""
    found = [series(name, labels={name: name}) for name in HOSTILE]
    marks = [Mark(START, START, name, name, (name,), name, name) for name in HOSTILE]
    for kind in ("timeseries", "gauge", "bargauge", "barchart"):
        chart = charted(panel(kind, defaults=CLASSIC), *found, marks=marks)
        code = list(expressions(chart.options))
        assert code
        assert all(text == "eddieDraw.place" or text.startswith("eddieDraw.") for text in code)
        assert not [text for text in code for name in HOSTILE if name in text or json.dumps(name)[1:-1] in text]


def test_units_of_the_file_are_only_data() -> None:
    """A unit or a colour that tries to be code stays a text inside the call."""
    bad = 'suffix:"); alert(1); ("</script>'
    chart = charted(panel(defaults={"unit": bad, "color": {"mode": "fixed", "fixedColor": bad}}), series("x"))
    for text in expressions(chart.options):
        assert "</script" not in text
        name, _, rest = text.partition("(")
        assert name.startswith("eddieDraw.")
        if rest:
            json.loads(f"[{rest.removesuffix(')')}]")


def test_not_drawn_is_said() -> None:
    """What a panel asks for and is not drawn is said in the notes; nothing is said of the shipped ones."""
    assert charted(panel(defaults={"custom": {"fillBelowTo": "x"}}), series("x")).notes
    assert not [drawn.notes for drawn in (drawing(each, answer(series("a"))) for each in shipped()) if drawn.notes]
