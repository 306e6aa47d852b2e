"""Station "draw": annotations on a chart: a line or a shaded time for each, and their titles for the tooltip."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

from eddie_board.draw.colours import FALLBACK, ink
from eddie_board.draw.columns import Columns
from eddie_board.frames import Mark

_REACH = 1 / 150
"""How much of the shown time beside a mark still tells its title: about the width of a fingertip on a mouse."""


def holder(marks: Sequence[Mark]) -> dict[str, Any]:
    """Give markLine and markArea of the series that carries the annotations."""
    lines, areas = [], []
    for mark in marks:
        colour = ink(mark.colour).option()
        style = {"type": [4, 4], "width": 2, **colour}
        ends = (mark.start, mark.end) if mark.end > mark.start else (mark.start,)
        lines += [{"xAxis": round(end * 1000), "lineStyle": style} for end in ends]
        if mark.end > mark.start:
            shade = {"itemStyle": {"opacity": 0.15, **colour}}
            areas.append([{"xAxis": round(mark.start * 1000), **shade}, {"xAxis": round(mark.end * 1000)}])
    still = {"silent": True, "animation": False, "label": {"show": False}}
    line = {**still, "symbol": ["triangle", "none"], "symbolSize": 6, "data": lines}
    return {"markLine": line, "markArea": {**still, "data": areas}}


def titles(marks: Sequence[Mark], times: tuple[float, ...], columns: Columns) -> dict[str, Any]:
    """Give the invisible series whose samples carry the titles of the marks beside them, as plain text.

    It lies on the grid ``times`` of the panel's first series: the tooltip shows what has a sample at the same time.
    """
    base = {"type": "line", "name": "", "silent": True, "symbol": "none", "animation": False, "yAxisIndex": 0}
    if not marks or not times:
        return {**base, "data": [], "encode": None, "datasetIndex": 0, "itemStyle": FALLBACK.option()}
    near = (times[-1] - times[0]) * _REACH
    row: list[str | None] = [None] * len(times)
    for mark in marks:
        first, last = bisect_left(times, mark.start - near), bisect_right(times, mark.end + near)
        title = mark.title or mark.text or mark.name
        for at in range(first, last):
            row[at] = title if row[at] is None else f"{row[at]} · {title}"
    dataset, heights = columns.put(times, [None] * len(times))
    # draw.js finds the titles in the row after the (empty) heights.
    columns.put(times, row)
    encode = {"x": 0, "y": heights}
    place = {"datasetIndex": dataset, "seriesLayoutBy": "row", "encode": encode}
    return {**base, **place, "itemStyle": ink(marks[0].colour).option()}
