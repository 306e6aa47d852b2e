"""Station "shared", towards Prometheus: each question is asked once a scrape interval, whoever wants to know."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from eddie_board.choosing import Values, arranged, label_query, listed, texts
from eddie_board.dashboard import Dashboard, Variable
from eddie_board.errors import PrometheusError
from eddie_board.frames import Columns
from eddie_board.once import Once
from eddie_board.prometheus import Prometheus
from eddie_board.queries import Query, Window, interpolate
from eddie_board.view import ALL, SHORTEST, unknown

MOST_QUESTIONS = 1024
"""Questions of one scrape interval that are kept: 25 queries of a dashboard in 40 views."""

MOST_POINTS = 1_000_000
"""Points of their answers together, 32 bytes each; a page of 6 hours has 40 000."""

MOST_KNOWN = 100
"""Lists of a variable's values kept for when Prometheus fails; the one that was answered longest ago goes."""

Choices = Mapping[str, tuple[str, ...]]


class Asking:
    """Answers of the present scrape interval, which began at ``now`` (seconds since the epoch)."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus
        self._columns: Once[Columns] = Once(MOST_QUESTIONS, lambda answer: answer.points, MOST_POINTS)
        self._names: Once[tuple[str, ...]] = Once(64, len, 200_000)
        self._retention: Once[float] = Once(1)
        self._known: dict[tuple[str, str, str, float], tuple[str, ...]] = {}

    def turn(self, now: float) -> None:
        """Let go what was kept for intervals before ``now``, also where nobody asks in this one."""
        for kept in (self._columns, self._names, self._retention):
            kept.turn(now)

    async def columns(self, now: float, query: Query) -> Columns:
        """Ask ``query``. Raises PrometheusError."""
        key = (query.expression, query.start, query.end, query.step, query.instant)
        return await self._columns.get(now, key, lambda: self._prometheus.columns(query))

    async def kept(self, now: float, window: Window) -> tuple[Window, list[str]]:
        """Cut ``window`` to what Prometheus keeps, and say so. Raises PrometheusError."""
        try:
            retention = await self._retention.get(now, "", self._prometheus.retention)
        except PrometheusError as error:
            if error.kind in {"down", "slow", "restarting"}:
                raise
            return window, []  # something that answers queries as Prometheus does, and does not say what it keeps
        if not math.isfinite(retention) or window.start >= now - retention:
            return window, []
        start = min(max(window.start, now - retention), window.end - SHORTEST)
        return replace(window, start=start), [f"Prometheus keeps {length(retention)}; what is older is not shown."]

    async def values(
        self, now: float, dashboard: Dashboard, variable: Variable, choices: Choices, window: Window
    ) -> Values:
        """Answer what can be chosen of ``variable``; where Prometheus fails what was known last, with the fault."""
        if variable.kind != "query":
            return Values(listed(variable))
        question = label_query(variable.query)
        if question is None:
            return Values(tuple(each for each in variable.default if each != ALL))
        label, match = question
        try:
            match = interpolate(match, texts(dashboard.variables, choices))
        except KeyError as error:
            return Values((), f"Variable {variable.label}: {error.args[0]}")
        key = (label, match, window.start, window.end)
        # By the length too: who looks at a day knows agents that a quarter of an hour has forgotten.
        known = (dashboard.uid, variable.name, match, window.end - window.start)
        try:
            found = await self._names.get(
                now, key, lambda: self._prometheus.label_values(label, match, window.start, window.end)
            )
        except PrometheusError as error:
            return Values(self._known.get(known, ()), str(error))
        names = arranged(variable, found)
        self._known.pop(known, None)
        self._known[known] = names
        if len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]
        return Values(names)

    async def checked(
        self, now: float, dashboard: Dashboard, choices: Choices, window: Window
    ) -> tuple[dict[str, tuple[str, ...]], list[str], str]:
        """Leave out of ``choices`` what Prometheus does not know: answer the rest, a note for each variable, a fault.

        With a fault a variable's choice could not be checked, and is as it was.
        """
        found: dict[str, tuple[str, ...]] = {}
        notes: list[str] = []
        fault = ""
        for variable in dashboard.variables:
            if not variable.choosable:
                continue
            chosen = choices.get(variable.name) or variable.default
            if chosen != (ALL,):
                values = await self.values(now, dashboard, variable, {**choices, **found}, window)
                if values.names or not values.fault:
                    known = {*values.names, *variable.default}
                    notes += unknown(variable.label, [each for each in chosen if each not in known])
                    chosen = tuple(each for each in chosen if each in known) or variable.default
                else:
                    fault = fault or values.fault
                chosen = chosen or values.names[:1]
            found[variable.name] = chosen
        return found, notes, fault

    async def spelled(self, now: float, dashboard: Dashboard, choices: Choices, window: Window) -> dict[str, str]:
        """Write what each variable becomes in a query; all of one without an ``allValue`` is every value there is.

        Raises PrometheusError.
        """
        found = dict(choices)
        for variable in dashboard.variables:
            if found.get(variable.name) == (ALL,) and not variable.all_value:
                values = await self.values(now, dashboard, variable, choices, window)
                if values.fault and not values.names:
                    raise PrometheusError("odd", values.fault)
                found[variable.name] = values.names or (ALL,)
        return texts(dashboard.variables, found)


def length(seconds: float) -> str:
    """Write a length of time as people say it: in days from two on, else in hours or minutes."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size or (seconds >= size and seconds % size == 0):
            return f"{seconds / size:g} {unit}" if seconds % size == 0 else f"{seconds / size:.1f} {unit}"
    return f"{seconds:g} s"
