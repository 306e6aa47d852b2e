"""Station "view", its times: what an address says of time (``now-6h``, ``now/d``, milliseconds, a date), in seconds."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta

from eddie_board.errors import ViewError

LATEST = 4_102_444_800.0
"""Seconds: the year 2100; a time past it is a mistake, and dates end not far from there."""

_SIMPLE = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def read(text: str, now: float, *, up: bool = False) -> float:
    """Read ``text`` as Grafana does, in UTC. Raises ViewError. ``up`` makes ``/d`` the day's end and not its start."""
    text = text.strip()
    try:
        if text.startswith("now"):
            at = _relative(text, now, up=up)
        elif re.fullmatch(r"[0-9]{1,15}", text):
            at = int(text) / 1000
        else:
            read_ = datetime.fromisoformat(text)
            at = (read_ if read_.tzinfo else read_.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        at = -1
    if not 0 <= at <= LATEST:
        raise ViewError(
            f"expected a time such as now-6h, 2026-01-31T12:00:00Z or milliseconds since 1970, got {text[:40]!r}"
        )
    return at


def _relative(text: str, now: float, *, up: bool) -> float:
    if not re.fullmatch(r"now([+-][0-9]{1,6}[smhdwMy]|/[smhdwMy]){0,4}", text):
        raise ValueError(text)
    at = datetime.fromtimestamp(now, UTC)
    for sign, number, unit in re.findall(r"([+/-])(\d*)(\w)", text[3:]):
        if sign != "/":
            at = _moved(at, int(number) * (1 if sign == "+" else -1), unit)
        else:
            at = _floored(at, unit)
            at = _moved(at, 1, unit) - timedelta(milliseconds=1) if up else at
    return at.timestamp()


def _moved(at: datetime, number: int, unit: str) -> datetime:
    if unit in _SIMPLE:
        return at + timedelta(seconds=number * _SIMPLE[unit])
    months = at.year * 12 + at.month - 1 + number * (12 if unit == "y" else 1)
    year, month = divmod(months, 12)
    if not 1 <= year <= 9999:
        raise ValueError(year)
    return at.replace(year=year, month=month + 1, day=min(at.day, calendar.monthrange(year, month + 1)[1]))


def _floored(at: datetime, unit: str) -> datetime:
    if unit == "w":  # weeks begin on Monday
        at -= timedelta(days=at.weekday())
    units = {"s": 6, "m": 5, "h": 4, "d": 3, "w": 3, "M": 2, "y": 1}
    start = [1970, 1, 1, 0, 0, 0]
    parts = [at.year, at.month, at.day, at.hour, at.minute, at.second]
    kept = units[unit]
    return datetime(*(parts[:kept] + start[kept:]), tzinfo=UTC)  # type: ignore[misc,arg-type]
