"""Station "draw": numbers as Grafana writes them in each unit.

A unit is a ladder of rungs ("below 1000: as it is, below 1e6: divided by 1000, with K"), so that the same small table
serves the legend and tables here and the axes and tooltips in the browser (draw.js, which reads it from `spec`).
Follows packages/grafana-data/src/valueFormats of Grafana 12.2; unit_names.py finds a unit by its name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

_TINY = 1e-15
"""Below it a number is written with an exponent: its decimals could not be counted."""
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
