"""Station "dashboard", its beginning: one file of classic dashboard JSON, read as what is declared of it.

Files of the folder for own dashboards were written by anybody: what is missing has Grafana's default, what this page
cannot do is noted, and what is no dashboard at all is one DashboardError.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from eddie_board.choosing import label_query
from eddie_board.dashboard_model import Annotation, Dashboard, Panel, Variable
from eddie_board.errors import DashboardError

Raw = Mapping[str, Any]

MOST_BYTES = 8_000_000
"""A dashboard file's size; Grafana's largest are a tenth of it."""


def read(path: Path) -> Dashboard:
    """Read the dashboard at ``path``. Raises DashboardError, which names the file."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        raw = orjson.loads(content) if len(content) <= MOST_BYTES else None
    except (OSError, ValueError) as error:
        raise DashboardError(f"{path.name} cannot be read: {error}") from None
    if isinstance(raw, dict) and isinstance(raw.get("dashboard"), dict):
        raw = raw["dashboard"]  # as Grafana's API exports it
    if not isinstance(raw, dict) or not isinstance(raw.get("panels"), list):
        raise DashboardError(
            f"{path.name}: expected classic dashboard JSON with `panels`, got something else: export it as classic"
        )
    try:
        return _dashboard(raw, path.stem, hashlib.sha256(content).hexdigest()[:16])
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise DashboardError(
            f"{path.name}: expected a dashboard as Grafana writes it, got {type(error).__name__}: {error}"
        ) from None


def _dashboard(raw: Raw, stem: str, digest: str) -> Dashboard:
    uid = str(raw.get("uid") or stem)
    found = list(_placed(raw["panels"]))
    taken = {each["id"] for each, _ in found if isinstance(each.get("id"), int)}
    panels: list[Panel] = []
    for each, y in found:
        number = each.get("id")
        if not isinstance(number, int) or any(panel.id == number for panel in panels):
            number = max(taken, default=0) + 1
            taken.add(number)
        panels.append(_panel({**each, "id": number}, y, uid, digest))
    time = raw.get("time") or {}
    variables = [_variable(each) for each in (raw.get("templating") or {}).get("list") or [] if each.get("name")]
    return Dashboard(
        uid=uid,
        title=str(raw.get("title") or uid),
        description=str(raw.get("description") or ""),
        panels=tuple(panels),
        variables=tuple(variables),
        annotations=tuple(_annotations((raw.get("annotations") or {}).get("list") or [])),
        time_from=str(time.get("from") or "now-6h"),
        time_to=str(time.get("to") or "now"),
        refresh=str(raw.get("refresh") or ""),
        raw=raw,
        digest=digest,
        notes=tuple(_notes(panels, variables)),
    )


def _placed(panels: Iterable[Raw]) -> Iterator[tuple[Raw, int]]:
    """Yield each panel and its y; the panels of a folded row stand under it, and move down what comes after."""
    shift = below = 0
    for panel in sorted(panels, key=lambda each: (_grid(each, "y", 0), _grid(each, "x", 0))):
        # Without a place, as very old files are, it comes below all that was.
        y = _grid(panel, "y", 0) + shift if panel.get("gridPos") else below
        yield panel, y
        below = max(below, y + _grid(panel, "h", 8))
        inner = panel.get("panels") or []
        if not inner:
            continue
        top = min(_grid(each, "y", 0) for each in inner)
        for each in inner:
            yield each, _grid(each, "y", 0) - top + y + 1
        height = max(_grid(each, "y", 0) - top + _grid(each, "h", 8) for each in inner)
        shift += height
        below = max(below, y + 1 + height)


def _grid(panel: Raw, key: str, default: int) -> int:
    value = (panel.get("gridPos") or {}).get(key, default)
    return max(0, min(int(value), 100_000))


def _panel(raw: Raw, y: int, uid: str, digest: str) -> Panel:
    x = min(_grid(raw, "x", 0), 23)
    return Panel(
        id=raw["id"],
        title=str(raw.get("title") or ""),
        description=str(raw.get("description") or ""),
        type=str(raw.get("type") or ("library panel" if raw.get("libraryPanel") else "panel without a type")),
        x=x,
        y=y,
        w=max(1, min(_grid(raw, "w", 24), 24 - x)),
        h=max(1, min(_grid(raw, "h", 8), 100)),
        targets=tuple(each for each in raw.get("targets") or [] if isinstance(each, dict)),
        field_config=raw.get("fieldConfig") or {},
        options=raw.get("options") or {},
        raw=raw,
        dashboard=uid,
        digest=digest,
    )


def _variable(raw: Raw) -> Variable:
    query = raw.get("query")
    text = query.get("query") if isinstance(query, dict) else query
    value = (raw.get("current") or {}).get("value")
    values = value if isinstance(value, list) else [value]
    default = tuple(str(each) for each in values if each not in {None, ""})
    include_all = bool(raw.get("includeAll"))
    return Variable(
        name=str(raw["name"]),
        label=str(raw.get("label") or raw["name"]),
        description=str(raw.get("description") or ""),
        kind=str(raw.get("type") or ""),
        query=str(text or raw.get("definition") or ""),
        multi=bool(raw.get("multi")),
        include_all=include_all,
        all_value=str(raw.get("allValue") or ""),
        default=default or (("$__all",) if include_all else ()),
        hide=raw.get("hide") == 2,
        sort=int(raw.get("sort") or 0),
        raw=raw,
    )


def _annotations(found: Iterable[Raw]) -> Iterator[Annotation]:
    for raw in found:
        target = raw.get("target") or {}
        expression = target.get("expr") or raw.get("expr")
        if not raw.get("enable", True) or not isinstance(expression, str):
            continue  # switched off, or Grafana's own notes, which live in its database
        wanted = raw.get("filter") or {}
        yield Annotation(
            name=str(raw.get("name") or ""),
            expression=expression,
            interval=str(target.get("interval") or raw.get("step") or "60s"),
            colour=str(raw.get("iconColor") or "rgba(0, 211, 255, 1)"),
            title_format=str(raw.get("titleFormat") or ""),
            text_format=str(raw.get("textFormat") or ""),
            tag_keys=tuple(key.strip() for key in str(raw.get("tagKeys") or "").split(",") if key.strip()),
            panels=tuple(int(each) for each in wanted.get("ids") or []),
            exclude=bool(wanted.get("exclude")),
        )


def _notes(panels: Iterable[Panel], variables: Iterable[Variable]) -> Iterator[str]:
    for panel in panels:
        name, raw = panel.title or panel.id, panel.raw
        if raw.get("repeat"):
            yield f"Panel {name} repeats by ${raw['repeat']} in Grafana; here it is shown once."
        if raw.get("timeFrom") or raw.get("timeShift"):
            yield f"Panel {name} has a time of its own in Grafana; here it shows the page's time."
        if raw.get("transformations"):
            yield f"Panel {name} is transformed in Grafana; here it shows what Prometheus answers."
    for each in variables:
        if each.kind not in {"query", "custom", "interval", "datasource", "constant", "textbox"}:
            yield f"Variable {each.label} is of a kind ({each.kind}) that this page does not know; it stays as it is."
        if each.kind == "query" and label_query(each.query) is None:
            yield f"Variable {each.label} asks what this page does not ask ({each.query[:80]}); it stays as it is."
