"""Station *journal*: running totals on disk, so that an answer 202 means: on disk, and never counted twice.

SQLite in WAL mode. One connection, used by one thread at a time. Every row of a total carries a checksum, because
SQLite notices a torn page but not a flipped bit in a number.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structlog

from eddie_exporter.errors import DiskFullError, StoreDataError, StoreIOError
from eddie_exporter.opening import (
    NAME,
    WAY_OUT,
    check_buckets,
    checksum,
    files,
    honest,
    locked,
    opened,
    put_meta,
    read_meta,
)
from eddie_exporter.settings import Settings
from eddie_exporter.tables import Row, Rows, Table, Tables

WINDOW_SECONDS = 86_400.0
"""How long, by its own time, the id of a bare event is remembered."""
MOST_IDS = 10_000_000
"""How many are, at most: 250 MB on disk."""
_FORGET_AT_ONCE = 5_000
_SPARE = 64 * 1024
"""Bytes that must find room before a full disk counts as free again."""


log = structlog.get_logger(__name__)


def _unchecked(_: Row) -> int:
    return 0


class Journal:
    """The store of one exporter.

    Raises when opened: StoreBusyError (another exporter has it), StoreDataError (corrupt, foreign, newer, or
    made with other buckets), StoreIOError (the disk does not do as told).
    """

    def __init__(
        self,
        folder: Path,
        *,
        durability: str,
        buckets: tuple[float, ...],
        window: float = WINDOW_SECONDS,
        most_ids: int = MOST_IDS,
    ) -> None:
        """``window``: seconds an event's id is remembered; ``most_ids``: how many at most."""
        self.folder = folder
        self.path = folder / NAME
        self._window = window
        self._most_ids = most_ids
        try:
            self._lock = locked(folder)
        except OSError as error:
            raise StoreIOError(f"{folder}: {os.strerror(error.errno or 0)}") from None
        try:
            with honest(self.path):
                self._db = opened(self.path, durability)
                self.meta = read_meta(self._db, self.path)
                check_buckets(self._db, self.path, self.meta, buckets)
        except BaseException:
            os.close(self._lock)
            raise
        self.incarnation = self._incarnation()
        self._identity = self._stat()
        self._ids = self._stored_ids = int(self.meta.get("ids", 0))

    # Opening

    @classmethod
    def of(cls, settings: Settings) -> Journal | None:
        """Open the store of these settings; None when they name no directory."""
        if settings.data_dir is None:
            return None
        return cls(settings.data_dir, durability=settings.durability, buckets=settings.buckets)

    def _incarnation(self) -> str:
        """Answer the store's name; a store that is older than the one that was here last gets a new one.

        How far that one had come stands in the lock file, written after each commit: only a copy from an earlier time
        can be behind it.
        """
        self._commits = int(self.meta.get("commits", 0))
        last = os.pread(self._lock, 32, 0).strip()
        if last.isdigit() and int(last) > self._commits and self._commits:
            before = self.meta["incarnation"]
            self.meta["incarnation"] = str(uuid.uuid4())
            with honest(self.path):
                put_meta(self._db, {"incarnation": self.meta["incarnation"]})
            log.warning("an older copy of the store is here: it gets a new name", before=before)
        return str(self.meta["incarnation"])

    def note_progress(self) -> None:
        """Write down, beside the store, how far it has come. Raises StoreIOError."""
        with honest(self.path):
            os.pwrite(self._lock, b"%020d\n" % self._commits, 0)

    def rows(self) -> Rows:
        """Answer everything that is stored. Raises StoreDataError when a row does not match its checksum."""
        found: Rows = {}
        with honest(self.path):
            for table in Tables().all():
                found[table.name] = list(self._checked(table))
        return found

    def _checked(self, table: Table) -> Iterator[tuple[int, Row]]:
        read = f"SELECT n, crc, {', '.join(table.columns)} FROM {table.name} ORDER BY n"  # noqa: S608  (our own names)
        for n, crc, *row in self._db.execute(read):
            values = tuple(row)
            if table.guarded and crc != checksum(values):
                raise StoreDataError(
                    f"{self.path}: corrupt: row {n} of {table.name} does not match its checksum; {WAY_OUT}"
                )
            yield n, values

    # Writing

    def begin(self) -> None:
        """Begin a group of requests. Raises DiskFullError, StoreIOError."""
        with honest(self.path):
            self._db.execute("BEGIN IMMEDIATE")

    def commit(self, tables: Tables, meta: dict[str, Any]) -> None:
        """Make the group durable: all of it or nothing. Raises DiskFullError, StoreIOError."""
        with honest(self.path):
            for table in tables.all():
                self._write(table)
            own = {"mark": self._forgotten, "ids": self._ids, "commits": self._commits + 1}
            put_meta(self._db, {**meta, **own})
            self._db.execute("COMMIT")
        self._commits += 1
        self._stored_ids = self._ids

    def _write(self, table: Table) -> None:
        if not table.changed:
            return
        marks = ", ".join("?" * (len(table.columns) + 2))
        check = checksum if table.guarded else _unchecked
        put = [(n, check(row), *row) for n, row in table.changed.items() if row is not None]
        gone = [(n,) for n, row in table.changed.items() if row is None]
        if put:
            self._db.executemany(f"REPLACE INTO {table.name} VALUES ({marks})", put)  # noqa: S608  (our own names)
        if gone:
            self._db.executemany(f"DELETE FROM {table.name} WHERE n = ?", gone)  # noqa: S608

    def abandon(self) -> None:
        """Take back what was begun; whatever the disk says to that is of no interest."""
        self._ids = self._stored_ids
        with contextlib.suppress(sqlite3.Error):
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def has_room(self) -> bool:
        """Whether a full disk takes a little again. Raises StoreIOError."""
        try:
            with honest(self.path):
                self._db.execute("BEGIN IMMEDIATE")
                self._db.execute("REPLACE INTO spare VALUES (1, zeroblob(?))", (_SPARE,))
                self._db.execute("COMMIT")
        except DiskFullError:
            self.abandon()
            return False
        return True

    # Ids of bare events

    def mark(self, now: float) -> float:
        """Answer the time, in seconds since the epoch, below which ids are not taken.

        What is stored of it is only how far ids were really forgotten: a clock that was ahead, and was set back, then
        refuses nobody for as long as it was ahead.
        """
        return max(self._forgotten, now - self._window)

    @property
    def _forgotten(self) -> float:
        """How far ids were really forgotten."""
        return float(self.meta.get("mark", 0.0))

    def remember(self, event_id: bytes) -> bool:
        """Remember an id inside a group; False when it was known. Raises DiskFullError, StoreIOError."""
        with honest(self.path):
            new = self._db.execute("INSERT OR IGNORE INTO ids VALUES (?)", (event_id,)).rowcount == 1
        self._ids += new
        return new

    def forget_ids(self, now: float) -> None:
        """Inside a group, forget ids below the mark and beyond the number, some thousands at a time."""
        with honest(self.path):
            edge = int(self.mark(now) * 1000).to_bytes(6, "big") + bytes(10)
            few = "SELECT max(id) FROM (SELECT id FROM ids WHERE id < ? ORDER BY id LIMIT ?)"
            self._forget_to(self._db.execute(few, (edge, _FORGET_AT_ONCE)).fetchone()[0])
            while self._ids > self._most_ids:
                surplus = min(self._ids - self._most_ids + self._most_ids // 100, _FORGET_AT_ONCE)
                last = self._db.execute(
                    "SELECT id FROM ids ORDER BY id LIMIT 1 OFFSET ?", (max(0, surplus - 1),)
                ).fetchone()[0]
                self._forget_to(last)

    def _forget_to(self, last: bytes | None) -> None:
        if last is not None:
            self._ids -= self._db.execute("DELETE FROM ids WHERE id <= ?", (last,)).rowcount
            made = (int.from_bytes(last[:6], "big") + 1) / 1000
            self.meta["mark"] = max(self._forgotten, made)

    # Being there

    def size(self) -> int:
        """Answer the bytes of the store on disk."""
        return sum(path.stat().st_size for path in files(self.path) if path.exists())

    def _stat(self) -> list[tuple[int, int]]:
        return [(status.st_dev, status.st_ino) for status in map(Path.stat, files(self.path))]

    def check_place(self) -> None:
        """Notice that somebody took the file or its log away: what is written there is gone. Raises StoreIOError."""
        try:
            if self._stat() == self._identity:
                return
        except OSError:
            pass
        raise StoreIOError(f"{self.path} (or its -wal) was deleted or replaced under the running exporter")

    def close(self) -> None:
        """Close, once and for all; what was not committed is gone."""
        if self._lock < 0:
            return
        self.abandon()
        with contextlib.suppress(sqlite3.Error):
            self._db.close()
        os.close(self._lock)
        self._lock = -1
