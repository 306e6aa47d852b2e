"""Station "draw", in a real browser: what only draw.js and the chart library decide."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route
from tests.support.browsers import chromium
from tests.support.panels import HOSTILE, TIMES, charted, panel, series, shipped

from eddie_board.draw import SCRIPT
from eddie_board.draw.model import Chart
from eddie_board.draw.unit_names import unit
from eddie_board.frames import Mark

HOME = "http://board.test"
PAGE = """<!doctype html><meta charset=utf-8><body class="%s">
<script type=importmap>{"imports": {"nicegui-echart": "/elements/echart/dist/index.js"}}</script>
<script src=/draw.js></script>
<main data-crosshair></main>
<script type=module>
import { echarts } from "nicegui-echart";
import { convertDynamicProperties } from "/static/utils/dynamic_properties.js";
window.faults = [];
const log = console.error;
console.error = (...words) => { window.faults.push(words.map(String).join(" ")); log(...words); };
window.draw = (options) => {
  const place = document.createElement("div");
  Object.assign(place.style, { width: "420px", height: "240px" });
  document.querySelector("main").append(place);
  const chart = echarts.init(place);
  convertDynamicProperties(options, true);
  chart.setOption(options);
  window.charts = [...(window.charts ?? []), chart];
};
window.ready = true;
</script>"""
CLASSIC = {"color": {"mode": "palette-classic"}}


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    """Open a page with the chart library of NiceGUI's wheel, or skip; nothing of it is fetched from anywhere."""
    found = importlib.util.find_spec("nicegui")
    if found is None or found.origin is None:
        pytest.skip("no NiceGUI: the board's requirements are not installed here")
    wheel = Path(found.origin).parent
    with chromium() as started:
        page = started.new_page(viewport={"width": 1000, "height": 900})
        page.route("**/*", lambda route: served(route, wheel))
        yield page


def served(route: Route, wheel: Path) -> None:
    """Answer a request of the page from the wheel and from the board's own script."""
    path = route.request.url.removeprefix(HOME).partition("?")[0]
    kind = "text/javascript" if path.endswith(".js") else "text/html"
    if path.startswith("/page-"):
        route.fulfill(body=PAGE % path.removeprefix("/page-"), content_type=kind)
    elif path == "/draw.js":
        route.fulfill(body=SCRIPT.read_text(), content_type=kind)
    elif (file := wheel / path.removeprefix("/")).is_file():
        route.fulfill(body=file.read_text(), content_type=kind)
    else:
        route.fulfill(status=204, body="")


@pytest.fixture
def page(browser: Page) -> Page:
    """Open an empty page on light ground."""
    return opened(browser, "body--light")


def opened(browser: Page, ground: str) -> Page:
    """Open an empty page on ``ground``."""
    browser.goto(f"{HOME}/page-{ground}")
    browser.wait_for_function("window.ready")
    return browser


def drawn(page: Page, *charts: Chart) -> None:
    """Draw ``charts``; what the library complains of is a fault."""
    for chart in charts:
        page.evaluate("options => window.draw(options)", json.loads(json.dumps(chart.options)))
    assert page.evaluate("window.faults") == []


def told(page: Page, place: int, across: float, down: float = 0.5) -> str:
    """Point at a place of the chart called ``place``, as shares of its width and height; return what is told."""
    box = page.locator("main > div").nth(place).bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * across - 2, box["y"] + box["height"] * down)
    page.mouse.move(box["x"] + box["width"] * across, box["y"] + box["height"] * down)
    tip = page.locator(".eddie-tooltip:visible")
    tip.wait_for()
    return tip.inner_text()


NUMBERS = [0.0, 1.0, -1.0, 0.5, 2.5, 12.25, 999.0, 1000.0, 1023.0, 1024.0, 1536.0, 3600.0, 86399.0, 90061.0, 1.5e6,
           1e9, 2.0**40, 1e15, 1e18, 1e-4, 3.3e-7, 0.07, 0.8512, -1234.5, 1 / 3, 5e-324, 99.995, math.pi]  # fmt: skip
UNITS = ["none", "short", "percent", "percentunit", "bytes", "decbytes", "kbytes", "Bps", "reqps", "ops", "s", "ms",
         "µs", "ns", "m", "h", "d", "suffix:/min", "prefix:~", "currencyUSD", "currencySEK", "si:mA", "bool", "dthms",
         "dtdhms", "dtdurations", "celsius", "wombats", "mwatt"]  # fmt: skip


@pytest.mark.parametrize("decimals", [None, 0, 2])
def test_both_write_numbers_alike(page: Page, decimals: int | None) -> None:
    """The tooltip in the browser and the legend beside it write each number in each unit the same."""
    specs = [unit(name).spec(decimals) for name in UNITS]
    written: list[list[str]] = page.evaluate(
        "([units, numbers]) => units.map((unit) => numbers.map((number) => eddieDraw.write(unit, number, false)))",
        [specs, NUMBERS],
    )
    here = [[unit(name).text(number, decimals) for number in NUMBERS] for name in UNITS]
    differ = [
        (name, number, mine, theirs)
        for name, row, other in zip(UNITS, here, written, strict=True)
        for number, mine, theirs in zip(NUMBERS, row, other, strict=True)
        if mine != theirs
    ]
    assert differ == []


@pytest.mark.parametrize(
    ("name", "decimals", "values", "texts"),
    [
        ("short", 0, [800, 1000, 1200], ["800", "1 K", "1.2 K"]),
        ("percentunit", None, [0.8, 0.85, 1], ["80%", "85%", "100%"]),
        ("suffix:/min", None, [0, 2.5, 5], ["0 /min", "2.5 /min", "5 /min"]),
        ("bytes", None, [0, 2**30], ["0 B", "1 GiB"]),
    ],
)
def test_ticks_read_differently(
    page: Page, name: str, decimals: int | None, values: list[float], texts: list[str]
) -> None:
    """Each tick of an axis is written to its step, without noughts at the end."""
    written = page.evaluate("([unit, values]) => values.map(eddieDraw.tick(unit))", [unit(name).spec(decimals), values])
    assert written == texts


@pytest.mark.parametrize("kind", ["timeseries", "barchart"])
def test_hostile_names_are_text(page: Page, kind: str) -> None:
    """Names that look like markup, templates or code stand in the tooltip as they are, and nothing of them runs."""
    chart = charted(panel(kind, defaults=CLASSIC), *(series(name) for name in HOSTILE))
    drawn(page, chart)
    places = [0.5] if kind == "timeseries" else [0.2, 0.35, 0.55, 0.7, 0.9]
    text = "\n".join(told(page, 0, place) for place in places)
    assert [name for name in HOSTILE if name not in text] == []
    assert page.evaluate("[window.pwned ?? null, document.querySelectorAll('img').length]") == [None, 0]


def test_hostile_gauges_and_marks(page: Page) -> None:
    """A gauge's name and an annotation's title are text too."""
    marks = [Mark(TIMES[30], TIMES[30], HOSTILE[0], "", (), "a", "red")]
    found = [series(name) for name in HOSTILE]
    drawn(page, charted(panel("gauge"), *found), charted(panel("bargauge"), *found))
    drawn(page, charted(panel(), series("x"), marks=marks))
    assert HOSTILE[0] in told(page, 2, 0.53)
    assert page.evaluate("[window.pwned ?? null, document.querySelectorAll('img').length]") == [None, 0]


def test_tooltip_is_sorted_without_noughts(page: Page) -> None:
    """A tooltip that wants it has the greatest first and no noughts, each in its own unit."""
    shown = panel(
        defaults={**CLASSIC, "unit": "suffix:x"},
        options={"tooltip": {"mode": "multi", "sort": "desc", "hideZeros": True}},
        overrides=[{"matcher": {"id": "byName", "options": "b"}, "properties": [{"id": "unit", "value": "bytes"}]}],
    )
    rows = (("a", 3.0), ("b", 2048.0), ("c", 0.0))
    drawn(page, charted(shown, *(series(name, (value,) * 61) for name, value in rows)))
    assert told(page, 0, 0.5).split("\n")[1:] == ["b", "2 KiB", "a", "3 x"]


def test_no_tooltip_where_none_is_wanted(page: Page) -> None:
    """A panel without tooltip has none."""
    drawn(page, charted(panel(options={"tooltip": {"mode": "none"}}), series("x")), charted(panel(), series("y")))
    box = page.locator("main > div").first.bounding_box()
    assert box
    page.mouse.move(box["x"] + 200, box["y"] + 100)
    assert "y" in told(page, 1, 0.5), "the second chart tells, so the first had its chance"
    assert page.locator(".eddie-tooltip:visible").count() == 1


def test_crosshair_is_shared(page: Page) -> None:
    """Pointing at one chart draws the line in the others, and tells only what is pointed at."""
    drawn(page, charted(panel(), series("one")), charted(panel(), series("other")))
    told(page, 0, 0.5)
    shown = "charts[1].getOption().xAxis[0].axisPointer"
    page.wait_for_function(f"{shown}?.status === 'show'")
    assert page.locator(".eddie-tooltip:visible").count() == 1
    page.mouse.move(999, 899)
    page.wait_for_function(f"{shown}?.status === 'hide'")


def coloured(page: Page, red: int, green: int, blue: int) -> int:
    """Count the first chart's pixels of about this colour."""
    count: int = page.evaluate(
        """(wanted) => {
          const data = charts[0].renderToCanvas().getContext("2d").getImageData(0, 0, 420, 240).data;
          let found = 0;
          for (let at = 0; at < data.length; at += 4) {
            found += data[at + 3] > 200 && wanted.every((each, place) => Math.abs(data[at + place] - each) < 12);
          }
          return found;
        }""",
        [red, green, blue],
    )
    return count


@pytest.mark.parametrize(("alone", "least", "most"), [(True, 10, 60), (False, 0, 0)])
def test_lonely_sample_is_seen(page: Page, *, alone: bool, least: int, most: int) -> None:
    """A single sample is a dot that can be seen; where there is none, nothing is drawn."""
    values = tuple(50.0 if alone and at == 30 else None for at in range(61))
    drawn(page, charted(panel(defaults={"color": {"mode": "fixed", "fixedColor": "#ff0000"}}), series("x", values)))
    assert least <= coloured(page, 255, 0, 0) <= most


@pytest.mark.parametrize(("ground", "colour"), [("body--light", (86, 166, 75)), ("body--dark", (115, 191, 105))])
def test_each_ground_has_its_shade(browser: Page, ground: str, colour: tuple[int, int, int]) -> None:
    """The same option is drawn in the shade of the ground the browser shows."""
    page = opened(browser, ground)
    thick = {"color": {"mode": "palette-classic"}, "custom": {"lineWidth": 6}}
    drawn(page, charted(panel(defaults=thick), series("x")))
    assert coloured(page, *colour) > 500


def ticks(page: Page, place: int = 0) -> list[float]:
    """Return the ticks of the first value axis of a chart."""
    found: list[float] = page.evaluate(
        """(place) => charts[place].getModel().getComponent("yAxis", 0).axis.getTicksCoords()
          .map((each) => each.tickValue)""",
        place,
    )
    return found


def test_hidden_series_lets_the_axis_narrow(page: Page) -> None:
    """Hiding the greatest series leaves the others room, down to the panel's soft minimum."""
    shown = panel(defaults={"custom": {"axisSoftMin": 0}})
    drawn(page, charted(shown, series("small", (1.0, 2.0, 3.0)), series("great", (900.0, 800.0, 950.0))))
    before = ticks(page)
    page.evaluate("charts[0].dispatchAction({ type: 'legendToggleSelect', name: 'great' })")
    after = ticks(page)
    assert (before[0], before[-1]) == (0, 1000)
    assert after[0] == 0
    assert 3 <= after[-1] <= 4


def test_ends_of_the_panel_are_kept(page: Page) -> None:
    """Hard and soft ends hold; a soft end gives way to what lies beyond it."""
    ends = {"max": 1, "unit": "percentunit", "custom": {"axisSoftMin": 0.8}}
    drawn(
        page,
        charted(panel(defaults=ends), series("x", (0.99, 0.97))),
        charted(panel(defaults=ends), series("x", (0.99, 0.31))),
    )
    assert (ticks(page)[0], ticks(page)[-1]) == (0.8, 1)
    low, high = ticks(page, 1)[0], ticks(page, 1)[-1]
    assert 0.2 <= low <= 0.31
    assert high == 1


def test_shipped_panels_draw(page: Page) -> None:
    """The library draws every panel of the shipped dashboard, full and empty, without a word of complaint."""
    for each in shipped():
        drawn(page, charted(each, series("a"), series("b", ref="B"), series("c", ref="C")), charted(each))
    assert page.locator("canvas").count() >= 22
