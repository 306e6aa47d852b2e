"""Station "shared", its variables: what can be chosen, as Prometheus knows it, in the order the dashboard wants."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from eddie_board.dashboard_model import Variable
from eddie_board.queries import text_of


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """What can be chosen of a variable: sorted as the dashboard wants; with a ``fault``, as last known."""

    names: tuple[str, ...]
    fault: str = ""


def label_query(text: str) -> tuple[str, str] | None:
    """Read ``label_values(metric, label)``: the label, and the metric or nothing; None for any other question."""
    found = re.fullmatch(r"\s*label_values\(\s*(?:(.+)\s*,\s*)?([a-zA-Z_][a-zA-Z0-9_]*)\s*\)\s*", text, re.DOTALL)
    return (found[2], (found[1] or "").strip()) if found else None


def listed(variable: Variable) -> tuple[str, ...]:
    """Answer the values that a custom or interval variable lists itself (``a, b`` or ``text : a, …``)."""
    parts = (part.strip() for part in re.split(r"(?<!\\),", variable.query))
    return tuple(part.rpartition(" : ")[2].replace("\\,", ",") for part in parts if part)


def arranged(variable: Variable, names: Iterable[str]) -> tuple[str, ...]:
    """Keep what the variable's ``regex`` keeps, as Grafana does, and sort by its ``sort``; empty names leave."""
    pattern = _pattern(str(variable.raw.get("regex") or ""))
    kept = (_captured(pattern, name) for name in names) if pattern else iter(names)
    found = list(dict.fromkeys(name for name in kept if name))
    kind = (variable.sort + 1) // 2
    if kind:
        keys: dict[int, Callable[[str], Any]] = {1: str, 2: _number, 3: str.casefold, 4: _natural}
        found.sort(key=keys.get(kind, str), reverse=variable.sort % 2 == 0)
    return tuple(found)


def _pattern(regex: str) -> re.Pattern[str] | None:
    found = re.fullmatch(r"/(.*)/(\w*)", regex, re.DOTALL)
    text = found[1] if found else regex
    if not text:
        return None
    try:
        # JavaScript's named groups have no P.
        return re.compile(re.sub(r"\(\?<(?=\w)", "(?P<", text), re.IGNORECASE if found and "i" in found[2] else 0)
    except re.error:
        return None


def _captured(pattern: re.Pattern[str], name: str) -> str:
    found = pattern.search(name)
    if found is None:
        return ""
    groups = found.groupdict()
    return str(groups.get("value") or (found[1] if pattern.groups and found[1] else found[0]))


def _number(name: str) -> tuple[float, str]:
    found = re.search(r"\d+(?:\.\d+)?", name)
    return (float(found[0]) if found else float("inf"), name)


def _natural(name: str) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d{1,18})", name.casefold())
    return [(0, int(part), "") if part.isdigit() and part.isascii() else (1, 0, part) for part in parts if part]


def texts(variables: Iterable[Variable], choices: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Write what each variable becomes in a query, with ``choices`` where there are some."""
    return {each.name: _text(each, choices.get(each.name) or each.default) for each in variables}


def _text(variable: Variable, chosen: tuple[str, ...]) -> str:
    raw: dict[str, Any] = {**variable.raw}
    if variable.kind in {"constant", "textbox"} and not chosen:
        chosen = (variable.query,)
    return text_of(raw, chosen or ("",))
