"""Station "draw": the table panel: a row for each set of labels, its last values, as Prometheus's tables in Grafana."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eddie_board.dashboard import Panel
from eddie_board.draw.colours import Ink
from eddie_board.draw.fields import Field, of
from eddie_board.draw.model import Cell, Table
from eddie_board.draw.reduce import extent, reduced
from eddie_board.draw.single import empty_text
from eddie_board.draw.unit_names import unit
from eddie_board.frames import Series
from eddie_board.queries import Window
from eddie_board.shared import Answer

_DONE = ("merge", "organize", "seriesToRows", "labelsToFields")


def table(panel: Panel, answer: Answer, _window: Window) -> Table:
    """Draw ``panel`` from ``answer``; several queries become one row where their labels are the same."""
    changes = _organized(panel.raw.get("transformations") or ())
    refs = list(dict.fromkeys(each.ref for each in answer.series))
    titled = {ref: f"Value #{ref}" if len(refs) > 1 else "Value" for ref in refs}
    rows: dict[tuple[tuple[str, str], ...], dict[str, Series]] = {}
    for each in answer.series:
        rows.setdefault(tuple(sorted(each.labels.items())), {})[titled[each.ref]] = each
    labels = sorted({name for key in rows for name, _ in key if name != "__name__"})
    columns = [name for name in ("Time", *labels, *titled.values()) if name not in changes["gone"]]
    columns.sort(key=lambda name: changes["order"].get(name, len(columns)))
    shown = {name: _field(panel, name, titled) for name in columns}
    columns = [name for name in columns if not shown[name].custom.get("hidden") and not shown[name].hidden("viz")]
    ends = extent([each.values for each in answer.series])
    body = [
        tuple(_cell(name, shown[name], dict(key), values, ends) for name in columns) for key, values in rows.items()
    ]
    titles = [changes["names"].get(name) or shown[name].name for name in columns]
    return Table(
        titles=tuple(titles),
        numeric=tuple(name in titled.values() for name in columns),
        rows=tuple(_sorted(body, titles, panel.options.get("sortBy") or ())),
        empty=empty_text(panel),
        notes=_notes(panel, answer),
    )


def _field(panel: Panel, name: str, titled: Mapping[str, str]) -> Field:
    ref = next((ref for ref, title in titled.items() if title == name), "")
    return of(panel.field_config, Series(ref, name, {}, (), ()))


def _cell(
    name: str, shown: Field, labels: Mapping[str, str], values: Mapping[str, Series], ends: tuple[float, float]
) -> Cell:
    if name == "Time":
        last = max((each.times[-1] for each in values.values() if each.times), default=None)
        return Cell("" if last is None else unit("dateTimeAsIso").text(last * 1000), last)
    if name not in values:
        return Cell(labels.get(name, ""))
    value = reduced("lastNotNull", values[name].values)
    low = shown.minimum if shown.minimum is not None else ends[0]
    high = shown.maximum if shown.maximum is not None else ends[1]
    kind = (shown.custom.get("cellOptions") or {}).get("type") or "auto"
    coloured: Ink | None = shown.ink(0, value, low, high) if kind.startswith("color") else None
    return Cell(shown.text(value), value, coloured, fill=kind == "color-background")


def _organized(transformations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    gone: set[str] = set()
    names: dict[str, str] = {}
    order: dict[str, int] = {}
    for each in transformations:
        if each.get("id") == "organize" and not each.get("disabled"):
            options = each.get("options") or {}
            gone |= {name for name, out in (options.get("excludeByName") or {}).items() if out}
            names |= options.get("renameByName") or {}
            order |= options.get("indexByName") or {}
    return {"gone": gone, "names": names, "order": order}


def _sorted(
    rows: list[tuple[Cell, ...]], titles: Sequence[str], by: Sequence[Mapping[str, Any]]
) -> list[tuple[Cell, ...]]:
    for each in reversed(by):
        if each.get("displayName") in titles:
            at = titles.index(str(each["displayName"]))
            rows = sorted(rows, key=lambda row: _rank(row[at]), reverse=bool(each.get("desc")))
    return rows


def _rank(cell: Cell) -> tuple[float, str]:
    return (cell.number if cell.number is not None else float("-inf"), cell.text.casefold())


def _notes(panel: Panel, answer: Answer) -> tuple[str, ...]:
    others = [
        str(each.get("id"))
        for each in panel.raw.get("transformations") or ()
        if each.get("id") not in _DONE and not each.get("disabled")
    ]
    notes = [f"transformations are not done here: {', '.join(others)}"] if others else []
    if any(len(each.times) > 1 for each in answer.series):
        notes.append("each series is one row with its last value here")
    return tuple(notes)
