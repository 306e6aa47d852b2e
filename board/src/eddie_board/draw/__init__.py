"""Station "draw": a panel and its answer become a picture as data, the same that Grafana 12.2 makes of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from eddie_board.dashboard import Panel
from eddie_board.draw import bars, gauge, stat, table, timeseries
from eddie_board.draw.model import Drawing, Unknown
from eddie_board.queries import Window
from eddie_board.shared import Answer

SCRIPT = Path(__file__).parent / "draw.js"
"""The page loads this file as a classic script in its head, before any chart; options call its functions.

Charts inside one element with the attribute data-crosshair share their crosshair: for dashboards whose JSON says
graphTooltip 1 or 2.
"""

_DRAWN: dict[str, Callable[[Panel, Answer, Window], Drawing]] = {
    "timeseries": timeseries.chart,
    "graph": timeseries.chart,
    "stat": stat.tiles,
    "singlestat": stat.tiles,
    "gauge": gauge.chart,
    "bargauge": bars.bar_gauge,
    "barchart": bars.bar_chart,
    "table": table.table,
}


def drawing(panel: Panel, answer: Answer, window: Window | None = None) -> Drawing:
    """Draw ``panel`` from ``answer``, over the time of ``window`` (None: that it was asked for).

    The same for dark and light and for all viewers: what differs is decided by draw.js in the browser.
    """
    drawn = _DRAWN.get(panel.type)
    return drawn(panel, answer, window or answer.window) if drawn else Unknown(panel.type)
