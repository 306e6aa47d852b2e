"""Station *journal*, its shelf in memory: which rows of which table changed since the last commit.

A row has a number, given once and never again, so rows that belong together lie together on the disk and a
commit writes few pages. Not thread-safe by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Row = tuple[Any, ...]


@dataclass
class Table:
    """The changed rows of one table: ``changed`` maps a row's number to its columns, or to None when it went.

    ``guarded``: its rows carry a checksum, because totals are made of them.
    """

    name: str
    columns: tuple[str, ...]
    guarded: bool = False
    last: int = 0
    written: int = 0
    changed: dict[int, Row | None] = field(default_factory=dict)

    def add(self, row: Row) -> int:
        """Put a new row and answer its number."""
        self.last += 1
        self.changed[self.last] = row
        return self.last

    def put(self, number: int, row: Row) -> int:
        """Put a row anew; number 0 is a new row. Answer its number."""
        if number == 0:
            return self.add(row)
        self.changed[number] = row
        return number

    def drop(self, number: int) -> None:
        """Take a row away; number 0 never was one."""
        if number > self.written:
            self.changed.pop(number, None)  # came and went between two commits
        elif number:
            self.changed[number] = None

    def clear(self) -> None:
        """Forget what changed: it is committed, or there is no store."""
        self.changed.clear()
        self.written = self.last


class Tables:
    """Every table of the store; the names and columns are its schema."""

    def __init__(self) -> None:
        """Begin with nothing changed."""
        self.series = Table("series", ("family", "labels", "created", "value", "counts"), guarded=True)
        self.retired = Table("retired", ("family", "value", "counts"), guarded=True)
        self.epochs = Table("epochs", ("producer", "epoch", "seq", "checksum", "heard"), guarded=True)
        self.flights = Table("flights", ("kind", "key", "agent", "stage", "started", "ends"))
        self.finished = Table("finished", ("kind", "keys"))
        self.splits = Table("splits", ("task_id",))
        self.agents = Table("agents", ("name", "latest", "heard", "gone", "active", "language", "version"))
        self.containers = Table(
            "containers",
            (
                "name",
                "latest",
                "heard",
                "gone",
                "cpu_limit",
                "memory_limit_bytes",
                "reported",
                "shown_name",
                "image",
                "agent",
            ),
        )

    def all(self) -> list[Table]:
        """Answer every table."""
        return list(vars(self).values())

    def any(self) -> bool:
        """Whether something changed."""
        return any(table.changed for table in self.all())

    def clear(self) -> None:
        """Forget what changed: it is committed, or there is no store."""
        for table in self.all():
            table.clear()


Rows = dict[str, Sequence[tuple[int, Row]]]
"""What a store holds: by table, (number, columns) in the order of the numbers."""
