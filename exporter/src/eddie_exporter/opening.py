"""Station *journal*, its door: a store is opened for one exporter, recognised, checked, and made durable before use.

A store that cannot be trusted is refused with the way out; none is begun anew in silence.
"""

from __future__ import annotations

import contextlib
import errno
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
from eddie_exporter.tables import Tables

NAME = "journal.db"
APPLICATION_ID = 0x0EDD1E
SCHEMA = 1
WAY_OUT = "restore a copy of it, or move it aside with `--start-fresh` (it is not deleted) and begin at zero"
CHECKPOINT_PAGES = 8_000
"""Pages of 4 KiB in the write-ahead log after which it is written back: 32 MB, read again in 50 ms after a crash."""


def files(path: Path) -> tuple[Path, Path]:
    """Answer what a store at ``path`` consists of: itself, and the log beside it."""
    return path, path.with_name(f"{path.name}-wal")


def move_aside(folder: Path, now: datetime | None = None) -> list[Path]:
    """Move the store's files aside and answer where they lie now; nothing is deleted. Raises StoreError."""
    with honest(folder):
        return _moved_aside(folder, now)


def _moved_aside(folder: Path, now: datetime | None) -> list[Path]:
    lock = locked(folder)
    try:
        stamp = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
        while (folder / f"{NAME}.aside-{stamp}").exists():  # a second one in the same second
            stamp += "-"
        moved = []
        # The log keeps the name that SQLite looks for, so that the copy opens as it is.
        for path, aside in zip(files(folder / NAME), files(folder / f"{NAME}.aside-{stamp}"), strict=True):
            if path.exists():
                moved.append(path.rename(aside))
        return moved
    finally:
        os.close(lock)


def locked(folder: Path) -> int:
    """Take the directory for this process; a second exporter on one store would count against the first."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise StoreBusyError(f"{folder} is in use by another exporter; give this one a directory of its own") from None
    return handle


def checksum(values: Iterable[object]) -> int:
    """Answer the checksum of a row."""
    return zlib.crc32(repr(values).encode("utf-8", "surrogatepass"))


def opened(path: Path, durability: str) -> sqlite3.Connection:
    """Open or make the store at ``path``. Raises StoreError."""
    fresh = not path.exists() or path.stat().st_size == 0
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=64)
    # The log's index stays in our memory. In a shared file it is mapped, and on a full disk with blocks below 4 KiB
    # the kernel ends who writes into a page that has no room (SIGBUS); SQLite sees to whole pages only.
    db.execute("PRAGMA locking_mode=EXCLUSIVE")
    # One that was begun and has no table yet was never used: its maker was killed, or its disk was full.
    fresh = fresh or db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    if not fresh:
        _recognise(db, path)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute(f"PRAGMA synchronous={'FULL' if durability == 'power' else 'NORMAL'}")
    db.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
    db.execute("PRAGMA journal_size_limit=67108864")
    db.execute("PRAGMA cache_size=-32768")
    if fresh:
        _create(db)
    # What recovery reads may exist only in the page cache: on disk with it, before the first answer or scrape.
    _write_back(db, path)
    if durability == "power":
        for each in (*files(path), path.parent):
            _sync(each)
    for name in ("meta", *(table.name for table in Tables().all())):
        found = db.execute(f"PRAGMA quick_check('{name}')").fetchone()[0]
        if found != "ok":
            raise StoreDataError(f"{path}: corrupt: {found}; {WAY_OUT}")
    return db


def _write_back(db: sqlite3.Connection, path: Path) -> None:
    """Write the log back; on a full disk the file cannot grow, and the log itself, synced, holds as much."""
    try:
        with honest(path):
            busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except DiskFullError:
        return
    if busy:
        raise StoreIOError(f"{path}: the write-ahead log could not be written back; is another program in it?")


def _recognise(db: sqlite3.Connection, path: Path) -> None:
    owner = db.execute("PRAGMA application_id").fetchone()[0]
    schema = db.execute("PRAGMA user_version").fetchone()[0]
    if owner != APPLICATION_ID:
        raise StoreDataError(f"{path}: expected a store of this exporter, got another database; {WAY_OUT}")
    if schema > SCHEMA:
        raise StoreDataError(
            f"{path}: written by a newer exporter (schema {schema}, this one knows {SCHEMA}); "
            f"start the newer one again, or {WAY_OUT}"
        )


def _create(db: sqlite3.Connection) -> None:
    db.execute("BEGIN IMMEDIATE")
    db.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL, crc INTEGER NOT NULL) STRICT")
    db.execute("CREATE TABLE ids (id BLOB PRIMARY KEY) STRICT, WITHOUT ROWID")
    db.execute("CREATE TABLE spare (n INTEGER PRIMARY KEY, room BLOB) STRICT")
    for table in Tables().all():
        columns = "".join(f", {column} ANY" for column in table.columns)
        db.execute(f"CREATE TABLE {table.name} (n INTEGER PRIMARY KEY, crc INTEGER NOT NULL{columns}) STRICT")
    db.execute(f"PRAGMA application_id={APPLICATION_ID}")
    db.execute(f"PRAGMA user_version={SCHEMA}")
    put_meta(db, {"incarnation": str(uuid.uuid4())})
    db.execute("COMMIT")


def read_meta(db: sqlite3.Connection, path: Path) -> dict[str, Any]:
    """Answer what the store says of itself. Raises StoreDataError."""
    found = {}
    for key, value, crc in db.execute("SELECT key, value, crc FROM meta"):
        if crc != checksum((key, value)):
            raise StoreDataError(f"{path}: corrupt: {key} in meta does not match its checksum; {WAY_OUT}")
        found[key] = value
    if "incarnation" not in found:
        raise StoreDataError(f"{path}: corrupt: no incarnation in meta; {WAY_OUT}")
    return found


def put_meta(db: sqlite3.Connection, values: dict[str, Any]) -> None:
    """Write down, inside a group or alone, what the store says of itself."""
    rows = [(key, value, checksum((key, value))) for key, value in values.items()]
    db.executemany("REPLACE INTO meta (key, value, crc) VALUES (?, ?, ?)", rows)


def check_buckets(db: sqlite3.Connection, path: Path, meta: dict[str, Any], buckets: tuple[float, ...]) -> None:
    """Refuse other buckets once events are stored; before that they are a setting."""
    text = json.dumps(buckets)
    stored = meta.get("buckets")
    if stored is not None and stored != text and db.execute("SELECT 1 FROM series LIMIT 1").fetchone():
        before = " ".join(f"{bound:g}" for bound in json.loads(str(stored)))
        raise StoreDataError(f"{path}: counted with EDDIE_BUCKETS={before}; set that again, or {WAY_OUT}")
    if stored != text:
        put_meta(db, {"buckets": text})


@contextlib.contextmanager
def honest(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system say into our words."""
    try:
        yield
    except sqlite3.Error as error:
        _say(error, path)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFullError(f"{path}: no room on its disk") from error
        raise StoreIOError(f"{path}: {error.strerror}") from error


def _say(error: sqlite3.Error, path: Path) -> NoReturn:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        raise DiskFullError(f"{path}: no room on its disk") from error
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        raise StoreDataError(f"{path}: corrupt: {error}; {WAY_OUT}") from error
    if isinstance(error, sqlite3.DatabaseError) and "no such" in str(error):
        raise StoreDataError(f"{path}: {error}; {WAY_OUT}") from error
    raise StoreIOError(f"{path}: {error}") from error


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
