"""Station *journal*: running totals on disk, so that an answer 202 means: on disk, and never counted twice.

SQLite in WAL mode. One connection, used by one thread at a time. Every row of a total carries a checksum, because
SQLite notices a torn page but not a flipped bit in a number.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
import uuid
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from eddie_exporter.errors import DiskFullError, StoreBusyError, StoreDataError, StoreIOError
from eddie_exporter.settings import Settings
from eddie_exporter.tables import Row, Rows, Table, Tables

NAME = "journal.db"
APPLICATION_ID = 0x0EDD1E
SCHEMA = 1
CHECKPOINT_PAGES = 8_000
"""Pages of 4 KiB in the write-ahead log after which it is written back: 32 MB, read again in 50 ms after a crash."""
WINDOW_SECONDS = 86_400.0
"""How long, by its own time, the id of a bare event is remembered."""
MOST_IDS = 10_000_000
"""How many are, at most: 250 MB on disk."""
_FORGET_AT_ONCE = 5_000
_SPARE = 64 * 1024
"""Bytes that must find room before a full disk counts as free again."""
_WAY_OUT = "restore a copy of it, or move it aside with `--start-fresh` (it is not deleted) and begin at zero"


def move_aside(folder: Path, now: datetime | None = None) -> list[Path]:
    """Move the store's files aside and answer where they lie now; nothing is deleted. Raises StoreBusyError."""
    lock = _locked(folder)
    try:
        stamp = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
        moved = []
        for suffix in ("", "-wal", "-shm"):
            path = folder / f"{NAME}{suffix}"
            if path.exists():
                # The log keeps the name that SQLite looks for, so that the copy opens as it is.
                moved.append(path.rename(folder / f"{NAME}.aside-{stamp}{suffix}"))
        return moved
    finally:
        os.close(lock)


def _locked(folder: Path) -> int:
    """Take the directory for this process; a second exporter on one store would count against the first."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise StoreBusyError(f"{folder} is in use by another exporter; give this one a directory of its own") from None
    return handle


def _checksum(values: Iterable[object]) -> int:
    return zlib.crc32(repr(values).encode("utf-8", "surrogatepass"))


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
            self._lock = _locked(folder)
        except OSError as error:
            raise StoreIOError(f"{folder}: {os.strerror(error.errno or 0)}") from None
        try:
            with self._honest():
                self._db = self._opened(durability)
                self.meta = self._meta()
                self._check_buckets(buckets)
        except BaseException:
            os.close(self._lock)
            raise
        self.incarnation = str(self.meta["incarnation"])
        self._identity = self._stat()
        self._ids = self._stored_ids = int(self.meta.get("ids", 0))

    # Opening

    @classmethod
    def of(cls, settings: Settings) -> Journal | None:
        """Open the store of these settings; None when they name no directory."""
        if settings.data_dir is None:
            return None
        return cls(settings.data_dir, durability=settings.durability, buckets=settings.buckets)

    def _opened(self, durability: str) -> sqlite3.Connection:
        fresh = not self.path.exists() or self.path.stat().st_size == 0
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, cached_statements=64)
        if not fresh:
            self._recognise(db)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute(f"PRAGMA synchronous={'FULL' if durability == 'power' else 'OFF'}")
        db.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        db.execute("PRAGMA journal_size_limit=67108864")
        db.execute("PRAGMA cache_size=-32768")
        if fresh:
            self._create(db)
        # What recovery reads may exist only in the page cache: on disk with it, before the first answer or scrape.
        busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise StoreIOError(f"{self.path}: the write-ahead log could not be written back; is another program in it?")
        if durability == "power":
            _sync(self.path)
            _sync(self.folder)
        for name in ("meta", *(table.name for table in Tables().all())):
            found = db.execute(f"PRAGMA quick_check('{name}')").fetchone()[0]
            if found != "ok":
                raise StoreDataError(f"{self.path}: corrupt: {found}; {_WAY_OUT}")
        return db

    def _recognise(self, db: sqlite3.Connection) -> None:
        owner = db.execute("PRAGMA application_id").fetchone()[0]
        schema = db.execute("PRAGMA user_version").fetchone()[0]
        if owner != APPLICATION_ID:
            raise StoreDataError(f"{self.path}: expected a store of this exporter, got another database; {_WAY_OUT}")
        if schema > SCHEMA:
            raise StoreDataError(
                f"{self.path}: written by a newer exporter (schema {schema}, this one knows {SCHEMA}); "
                f"start the newer one again, or {_WAY_OUT}"
            )

    def _create(self, db: sqlite3.Connection) -> None:
        db.execute("BEGIN IMMEDIATE")
        db.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL, crc INTEGER NOT NULL) STRICT")
        db.execute("CREATE TABLE ids (id BLOB PRIMARY KEY) STRICT, WITHOUT ROWID")
        db.execute("CREATE TABLE spare (n INTEGER PRIMARY KEY, room BLOB) STRICT")
        for table in Tables().all():
            columns = "".join(f", {column} ANY" for column in table.columns)
            db.execute(f"CREATE TABLE {table.name} (n INTEGER PRIMARY KEY, crc INTEGER NOT NULL{columns}) STRICT")
        db.execute(f"PRAGMA application_id={APPLICATION_ID}")
        db.execute(f"PRAGMA user_version={SCHEMA}")
        self._put_meta(db, {"incarnation": str(uuid.uuid4())})
        db.execute("COMMIT")

    def _meta(self) -> dict[str, Any]:
        found = {}
        for key, value, crc in self._db.execute("SELECT key, value, crc FROM meta"):
            if crc != _checksum((key, value)):
                raise StoreDataError(f"{self.path}: corrupt: {key} in meta does not match its checksum; {_WAY_OUT}")
            found[key] = value
        if "incarnation" not in found:
            raise StoreDataError(f"{self.path}: corrupt: no incarnation in meta; {_WAY_OUT}")
        return found

    @staticmethod
    def _put_meta(db: sqlite3.Connection, values: dict[str, Any]) -> None:
        rows = [(key, value, _checksum((key, value))) for key, value in values.items()]
        db.executemany("REPLACE INTO meta (key, value, crc) VALUES (?, ?, ?)", rows)

    def _check_buckets(self, buckets: tuple[float, ...]) -> None:
        """Refuse other buckets once events are stored; before that they are a setting."""
        text = json.dumps(buckets)
        stored = self.meta.get("buckets")
        if stored is not None and stored != text and self._db.execute("SELECT 1 FROM series LIMIT 1").fetchone():
            before = " ".join(f"{bound:g}" for bound in json.loads(str(stored)))
            raise StoreDataError(f"{self.path}: counted with EDDIE_BUCKETS={before}; set that again, or {_WAY_OUT}")
        if stored != text:
            self._put_meta(self._db, {"buckets": text})

    def rows(self) -> Rows:
        """Answer everything that is stored. Raises StoreDataError when a row does not match its checksum."""
        found: Rows = {}
        with self._honest():
            for table in Tables().all():
                found[table.name] = list(self._checked(table))
        return found

    def _checked(self, table: Table) -> Iterator[tuple[int, Row]]:
        read = f"SELECT n, crc, {', '.join(table.columns)} FROM {table.name} ORDER BY n"  # noqa: S608  (our own names)
        for n, crc, *row in self._db.execute(read):
            values = tuple(row)
            if table.guarded and crc != _checksum(values):
                raise StoreDataError(
                    f"{self.path}: corrupt: row {n} of {table.name} does not match its checksum; {_WAY_OUT}"
                )
            yield n, values

    # Writing

    def begin(self) -> None:
        """Begin a group of requests. Raises DiskFullError, StoreIOError."""
        with self._honest():
            self._db.execute("BEGIN IMMEDIATE")

    def commit(self, tables: Tables, meta: dict[str, Any]) -> None:
        """Make the group durable: all of it or nothing. Raises DiskFullError, StoreIOError."""
        with self._honest():
            for table in tables.all():
                self._write(table)
            self._put_meta(self._db, {**meta, "ids": self._ids})
            self._db.execute("COMMIT")
        self._stored_ids = self._ids

    def _write(self, table: Table) -> None:
        if not table.changed:
            return
        marks = ", ".join("?" * (len(table.columns) + 2))
        check = _checksum if table.guarded else _unchecked
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
            with self._honest():
                self._db.execute("BEGIN IMMEDIATE")
                self._db.execute("REPLACE INTO spare VALUES (1, zeroblob(?))", (_SPARE,))
                self._db.execute("COMMIT")
        except DiskFullError:
            self.abandon()
            return False
        return True

    # Ids of bare events

    def mark(self, now: float) -> float:
        """Answer the time, in seconds since the epoch, below which ids may have been forgotten; it never goes back."""
        mark = max(float(self.meta.get("mark", 0.0)), now - self._window)
        self.meta["mark"] = mark
        return mark

    def remember(self, event_id: bytes) -> bool:
        """Remember an id inside a group; False when it was known. Raises DiskFullError, StoreIOError."""
        with self._honest():
            new = self._db.execute("INSERT OR IGNORE INTO ids VALUES (?)", (event_id,)).rowcount == 1
        self._ids += new
        return new

    def forget_ids(self, now: float) -> None:
        """Inside a group, forget ids below the mark and beyond the number, some thousands at a time."""
        with self._honest():
            edge = int(self.mark(now) * 1000).to_bytes(6, "big") + bytes(10)
            few = "DELETE FROM ids WHERE id IN (SELECT id FROM ids WHERE id < ? ORDER BY id LIMIT ?)"
            self._ids -= self._db.execute(few, (edge, _FORGET_AT_ONCE)).rowcount
            while self._ids > self._most_ids:
                surplus = min(self._ids - self._most_ids + self._most_ids // 100, _FORGET_AT_ONCE)
                last = self._db.execute(
                    "SELECT id FROM ids ORDER BY id LIMIT 1 OFFSET ?", (max(0, surplus - 1),)
                ).fetchone()[0]
                self._ids -= self._db.execute("DELETE FROM ids WHERE id <= ?", (last,)).rowcount
                self.meta["mark"] = max(self.mark(now), (int.from_bytes(last[:6], "big") + 1) / 1000)

    # Being there

    def size(self) -> int:
        """Answer the bytes of the store on disk."""
        paths = (self.path.with_name(NAME + suffix) for suffix in ("", "-wal"))
        return sum(path.stat().st_size for path in paths if path.exists())

    def _stat(self) -> tuple[int, int]:
        status = self.path.stat()
        return status.st_dev, status.st_ino

    def check_place(self) -> None:
        """Notice that somebody took the file away: what is written to it would be gone. Raises StoreIOError."""
        try:
            if self._stat() == self._identity:
                return
        except OSError:
            pass
        raise StoreIOError(f"{self.path} was deleted or replaced under the running exporter")

    def close(self) -> None:
        """Close, once and for all; what was not committed is gone."""
        if self._lock < 0:
            return
        self.abandon()
        with contextlib.suppress(sqlite3.Error):
            self._db.close()
        os.close(self._lock)
        self._lock = -1

    @contextlib.contextmanager
    def _honest(self) -> Iterator[None]:
        """Turn what SQLite and the system say into our words."""
        try:
            yield
        except sqlite3.Error as error:
            self._say(error)
        except OSError as error:
            raise StoreIOError(f"{self.path}: {error.strerror}") from error

    def _say(self, error: sqlite3.Error) -> NoReturn:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise DiskFullError(f"{self.path}: no room on its disk") from error
        if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise StoreDataError(f"{self.path}: corrupt: {error}; {_WAY_OUT}") from error
        if isinstance(error, sqlite3.DatabaseError) and "no such" in str(error):
            raise StoreDataError(f"{self.path}: {error}; {_WAY_OUT}") from error
        raise StoreIOError(f"{self.path}: {error}") from error


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
