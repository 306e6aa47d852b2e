"""Station *count*: which tasks were split, so that one that succeeds afterwards counts as rescued by the fallback."""

from __future__ import annotations

from collections import OrderedDict

from eddie_exporter.tables import Row, Table

MAX_SPLIT_TASKS = 100_000
"""Split tasks remembered until they finish; past it the oldest is forgotten, and its rescue not seen."""


class Splits:
    """The split tasks that have not finished."""

    def __init__(self, table: Table) -> None:
        """Begin with none."""
        self._tasks: OrderedDict[str, int] = OrderedDict()
        self._table = table

    def add(self, task_id: str) -> None:
        """Remember that a task was split."""
        if task_id in self._tasks:
            return
        self._tasks[task_id] = self._table.add((task_id,))
        if len(self._tasks) > MAX_SPLIT_TASKS:
            self._table.drop(self._tasks.popitem(last=False)[1])

    def take(self, task_id: str) -> bool:
        """Whether a task was split; asked once, when it finishes."""
        number = self._tasks.pop(task_id, 0)
        self._table.drop(number)
        return number > 0

    def restore(self, number: int, row: Row) -> None:
        """Take back a split task."""
        self._tasks[row[0]] = number
