"""Station "shared", one panel: its queries and annotations written out, asked, and put together."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field

from eddie_board.asking import Asking, Choices
from eddie_board.dashboard import Annotation, Dashboard, Panel
from eddie_board.errors import PrometheusError
from eddie_board.frames import Columns, Mark, Series, marks, named
from eddie_board.queries import Query, Window, target_query

MOST_MARKS = 300
"""Annotations of one panel; more would hide its lines."""


@dataclass(slots=True)
class Picture:
    """What one panel's answer is made of, while it is asked for; ``fault`` says what is missing in it."""

    window: Window
    notes: list[str] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    fault: str = ""

    @property
    def filled(self) -> bool:
        """Say whether there is a number to show, or nothing was asked for (a text, a row)."""
        return not self.queries or any(
            value is not None and not math.isnan(value) for each in self.series for value in each.values
        )

    async def fill(self, asking: Asking, now: float, dashboard: Dashboard, panel: Panel, choices: Choices) -> None:
        """Ask all that ``panel`` shows. Raises PrometheusError; KeyError or ValueError for what nobody can ask."""
        targets = [target for target in panel.targets if not target.get("hide")]
        self.notes += [
            f"Query {target.get('refId', '?')} is not PromQL; it is left out."
            for target in targets
            if not isinstance(target.get("expr"), str) or not target["expr"].strip()
        ]
        if len(self.notes) == len(targets):
            return
        self.window, notes = await asking.kept(now, self.window)
        choices, strange, fault = await asking.checked(now, dashboard, choices, self.window)
        if fault:
            raise PrometheusError("odd", fault)
        self.notes += [*notes, *strange]
        values = await asking.spelled(now, dashboard, choices, self.window)
        asked = [target for target in targets if isinstance(target.get("expr"), str) and target["expr"].strip()]
        self.queries = [target_query(panel.raw, target, self.window, values) for target in asked]
        events = [each for each in dashboard.annotations if each.on(panel.id)]
        found, marked = await asyncio.gather(
            asyncio.gather(*(_asked(asking, now, query) for query in self.queries)),
            asyncio.gather(*(_marks(asking, now, each, self.window, values) for each in events)),
        )
        self._take(found)
        self._mark(marked)

    def _take(self, answers: list[Columns | PrometheusError]) -> None:
        for query, answer in zip(self.queries, answers, strict=True):
            if isinstance(answer, Columns):
                self.series += named(query, answer)
                self.notes += [f"Query {query.ref}: {note}" for note in answer.notes]
            elif not self.fault:
                own = answer.kind in {"refused", "too-much"} and len(self.queries) > 1
                self.fault = f"Query {query.ref}: {answer}" if own else str(answer)

    def _mark(self, found: list[list[Mark] | str]) -> None:
        for each in found:
            if isinstance(each, str):
                self.notes.append(each)
            else:
                self.marks += each
        if len(self.marks) > MOST_MARKS:
            self.notes.append(f"{len(self.marks)} annotations are in the shown time; the last {MOST_MARKS} are drawn.")
            self.marks = sorted(self.marks, key=lambda mark: mark.start)[-MOST_MARKS:]


async def _asked(asking: Asking, now: float, query: Query) -> Columns | PrometheusError:
    try:
        return await asking.columns(now, query)
    except PrometheusError as error:
        return error


async def _marks(
    asking: Asking, now: float, event: Annotation, window: Window, values: dict[str, str]
) -> list[Mark] | str:
    """Ask for one annotation, as often as lines are: Grafana asks a hundred times in the window, and misses some."""
    target = {"expr": event.expression, "interval": event.interval, "refId": "Annotation"}
    try:
        query = target_query({"id": 0, "title": event.name}, target, window, values)
        answer = await asking.columns(now, query)
    except (PrometheusError, KeyError, ValueError) as error:
        return f"Annotation {event.name}: {error.args[0]}"
    return marks(
        answer,
        query.step,
        name=event.name,
        colour=event.colour,
        title=event.title_format,
        text=event.text_format,
        tag_keys=event.tag_keys,
    )
