"""Station "draw": numbers as Grafana writes them in each unit.

A unit is a ladder of rungs ("below 1000: as it is, below 1e6: divided by 1000, with K"), so that the same small table
serves the legend and tables here and the axes and tooltips in the browser (draw.js, which reads it from `spec`).
Follows packages/grafana-data/src/valueFormats of Grafana 12.2. A unit that nobody knows is shown behind the number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from eddie_board.draw.unit_table import AFTER, COUNTS, IEC, LADDERS, MONEY, SHORT, SI

_PREFIXES = ("f", "p", "n", "µ", "m", "", "k", "M", "G", "T", "P", "E", "Z", "Y")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi")
_BOOLEAN = {"bool": ("True", "False"), "bool_yes_no": ("Yes", "No"), "bool_on_off": ("On", "Off")}
_THOUSANDS = ("", "K", "M", "B", "T")
_TINY = 1e-15
"""Below it a number is written with an exponent: its decimals could not be counted."""
_PLAIN = ("", "none", "string", "locale", "hex", "hex0x", "sci")
_TIMES = ("dateTimeAsIso", "dateTimeAsUS", "dateTimeAsLocal", "dateTimeAsSystem", "dateTimeFromNow")
_SPANS = {"dthms": ("clock", 1.0), "dtdhms": ("dayclock", 1.0), "clocks": ("dayclock", 1.0)} | {
    "clockms": ("dayclock", 0.001), "dtdurations": ("span", 1.0), "dtdurationms": ("span", 0.001),
}  # fmt: skip
_STEPS = (("year", 31536000), ("month", 2592000), ("week", 604800), ("day", 86400), ("hour", 3600), ("minute", 60))


@dataclass(frozen=True, slots=True)
class Unit:
    """How numbers of one unit are written.

    ``kind`` is "ladder" or one of bool, time, clock, dayclock, span. A rung is (below this, divided by, text behind,
    text behind when above one). ``prefix`` stands before the number. A number is multiplied by ``factor`` first, which
    gives percent, seconds, or for "time" milliseconds. ``binary`` says that its ticks are powers of two.
    """

    kind: str = "ladder"
    rungs: tuple[tuple[float, float, str, str], ...] = ((math.inf, 1.0, "", ""),)
    prefix: str = ""
    factor: float = 1.0
    words: tuple[str, str] = ("", "")
    binary: bool = False

    def spec(self, decimals: int | None) -> dict[str, Any]:
        """Give what draw.js needs to write a number as `text` does; it can be written as JSON."""
        rungs = [[None if math.isinf(below) else below, by, one, more] for below, by, one, more in self.rungs]
        return {
            "kind": self.kind, "rungs": rungs, "prefix": self.prefix, "factor": self.factor,
            "words": list(self.words), "decimals": decimals,
        }  # fmt: skip

    def text(self, value: float | None, decimals: int | None = None) -> str:
        """Write ``value``; None is the empty text, infinities and NaN are as JavaScript says them."""
        if value is None:
            return ""
        if math.isnan(value):
            return "NaN"
        if self.kind == "bool":
            return self.words[0] if value else self.words[1]
        if math.isinf(value):
            return "∞" if value > 0 else "-∞"
        number = value * self.factor
        if self.kind == "time":
            return _moment(number)
        return self._ladder(number, decimals) if self.kind == "ladder" else _length(self.kind, number, decimals)

    def _ladder(self, value: float, decimals: int | None) -> str:
        size = abs(value)
        _, by, one, more = next((rung for rung in self.rungs if size < rung[0]), self.rungs[-1])
        scaled = value / by
        sign, shown = ("-", abs(scaled)) if self.prefix and value < 0 else ("", scaled)
        return f"{sign}{self.prefix}{fixed(shown, decimals)}{more if abs(scaled) > 1 else one}"


def fixed(value: float, decimals: int | None) -> str:
    """Write ``value`` with so many ``decimals``, None: as many as make it readable (Grafana's toFixed)."""
    if decimals is None and 0 < abs(value) < _TINY:
        return plain(float(f"{value:.3g}"))
    if decimals is None:
        decimals = _readable(value)
    factor = 10.0 ** max(0, decimals)
    scaled = value * factor
    text = plain(math.floor(scaled + 0.5) / factor if abs(scaled) < 2**52 else value)
    if "e" in text or decimals <= 0:
        return text
    whole, _, part = text.partition(".")
    return f"{whole}.{part.ljust(decimals, '0')}"


def _readable(value: float) -> int:
    if value == 0 or value % 1 == 0:
        return 0
    decimals = 1 - math.floor(math.log(abs(value)) / math.log(10))
    # 2.5 wants one more: between 1 and 10 what is above 2.25.
    return max(0, decimals + (abs(value) / 10.0**-decimals > 2.25))


def plain(value: float) -> str:
    """Write a number as JavaScript does: no exponent from 1e-6 up to 1e21."""
    if value == 0:
        return "0"
    if not 1e-6 <= abs(value) < 1e21:
        text = repr(value)
        mantissa, _, power = text.partition("e")
        return f"{mantissa.removesuffix('.0')}e{int(power):+d}" if power else text
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _moment(milliseconds: float) -> str:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return plain(milliseconds)


def _length(kind: str, seconds: float, decimals: int | None) -> str:
    after = " ago" if seconds < 0 else ""
    rest = abs(seconds)
    if kind == "span":
        return _span(rest, decimals) + after
    days, rest = divmod(rest, 86400) if kind == "dayclock" else (0.0, rest)
    clock = f"{int(rest // 3600):02d}:{int(rest % 3600 // 60):02d}:{int(rest % 60):02d}"
    return (f"{int(days)} d " if days else "") + clock + after


def _span(seconds: float, decimals: int | None) -> str:
    words: list[str] = []
    left = decimals or 0
    for name, length in (*_STEPS, ("second", 1), ("millisecond", 0.001)):
        if seconds / length >= 1 or words:
            count = math.floor(round(seconds / length, 6))
            words.append(f"{count} {name}{'' if count == 1 else 's'}")
            seconds -= count * length
            left -= 1
        if left < 0:
            break
    return ", ".join(words) or "0 seconds"


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
