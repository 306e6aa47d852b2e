"""Station "draw": a unit by the name a dashboard gives it; what nobody knows is shown behind the number."""

from __future__ import annotations

import math
from functools import lru_cache

from eddie_board.draw.unit_table import AFTER, COUNTS, IEC, LADDERS, MONEY, SHORT, SI
from eddie_board.draw.units import Unit

_PREFIXES = ("f", "p", "n", "µ", "m", "", "k", "M", "G", "T", "P", "E", "Z", "Y")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi")
_BOOLEAN = {"bool": ("True", "False"), "bool_yes_no": ("Yes", "No"), "bool_on_off": ("On", "Off")}
_THOUSANDS = ("", "K", "M", "B", "T")
_PLAIN = ("", "none", "string", "locale", "hex", "hex0x", "sci")
_TIMES = ("dateTimeAsIso", "dateTimeAsUS", "dateTimeAsLocal", "dateTimeAsSystem", "dateTimeFromNow")
_SPANS = {"dthms": ("clock", 1.0), "dtdhms": ("dayclock", 1.0), "clocks": ("dayclock", 1.0)} | {
    "clockms": ("dayclock", 0.001), "dtdurations": ("span", 1.0), "dtdurationms": ("span", 0.001),
}  # fmt: skip


def _scaled(step: float, words: tuple[str, ...], offset: int = 0) -> tuple[tuple[float, float, str, str], ...]:
    # `offset` is the word of a value between 1 and `step`.
    rungs = [(step ** (at - offset + 1), step ** (at - offset), word, word) for at, word in enumerate(words)]
    return (*rungs[:-1], (math.inf, *rungs[-1][1:]))


def _si(name: str, offset: int = 0) -> Unit:
    return Unit(rungs=_scaled(1000.0, tuple(f" {prefix}{name}" for prefix in _PREFIXES), 5 + offset))


def _behind(text: str) -> Unit:
    return Unit(rungs=((math.inf, 1.0, text, text),))


@lru_cache(maxsize=512)
def unit(name: str) -> Unit:
    """Give the unit a dashboard calls ``name``; what Grafana does not know is shown behind the number."""
    found = _listed(name)
    if found is not None:
        return found
    key, colon, rest = name.partition(":")
    if colon and (parsed := _written(key, rest)):
        return parsed
    return _behind(f" {name}") if name else Unit()


def _listed(name: str) -> Unit | None:
    found: Unit | None = None
    if name in _PLAIN:
        found = Unit()
    elif name in LADDERS:
        found = Unit(rungs=tuple((below, by, one, one + more) for below, by, one, more in LADDERS[name]))
    elif name in SI:
        found = _si(*SI[name])
    elif name in IEC:
        text, offset = IEC[name]
        found = Unit(rungs=_scaled(1024.0, tuple(f" {prefix}{text}" for prefix in _BINARY), offset), binary=True)
    elif name in COUNTS:
        found = _count(COUNTS[name])
    elif name in MONEY:
        before, behind = MONEY[name]
        found = Unit(rungs=_scaled(1000.0, tuple(each + behind for each in _THOUSANDS)), prefix=before)
    elif name in AFTER:
        found = _behind(AFTER[name])
    return found or _named(name)


def _named(name: str) -> Unit | None:
    found: Unit | None = None
    if name == "percentunit":
        found = Unit(rungs=((math.inf, 1.0, "%", "%"),), factor=100.0)
    elif name == "short":
        found = Unit(rungs=_scaled(1000.0, SHORT))
    elif name in _BOOLEAN:
        found = Unit(kind="bool", words=_BOOLEAN[name])
    elif name in _SPANS:
        kind, factor = _SPANS[name]
        found = Unit(kind=kind, factor=factor)
    elif name.startswith(_TIMES):
        found = Unit(kind="time")
    return found


def _count(text: str) -> Unit:
    return Unit(rungs=_scaled(1000.0, tuple(f"{each} {text}" for each in _THOUSANDS)))


def _written(key: str, rest: str) -> Unit | None:
    found: Unit | None = None
    if key == "suffix":
        found = _behind(f" {rest}" if rest else "")
    elif key == "prefix":
        found = Unit(prefix=rest)
    elif key == "si":
        offset = _PREFIXES.index(rest[0]) - 5 if rest[:1] in _PREFIXES[:5] + _PREFIXES[6:] else 0
        found = _si(rest[1:] if offset else rest, offset)
    elif key == "count":
        found = _count(rest)
    elif key == "currency":
        found = Unit(rungs=_scaled(1000.0, _THOUSANDS), prefix=rest.removeprefix("financial:"))
    elif key == "time":
        found = Unit(kind="time")
    elif key == "bool":
        yes, _, no = rest.partition("/")
        found = Unit(kind="bool", words=(yes, no or "-"))
    return found
