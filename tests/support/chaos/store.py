"""The store's files as an operator (or a fault) sees them."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

NAMES = ("journal.db", "journal.db-wal")


def delete(data: Path) -> None:
    """Lose the store; the directory stays."""
    for name in NAMES:
        (data / name).unlink(missing_ok=True)


def copy(data: Path, to: Path) -> None:
    """Copy the store of an exporter that is down, as a backup does."""
    to.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        if (data / name).exists():
            shutil.copy2(data / name, to / name)


def restore(backup: Path, data: Path) -> None:
    """Put a copy in the store's place."""
    delete(data)
    copy(backup, data)


def pragma(data: Path, line: str) -> None:
    """Change the store from outside, while no exporter runs."""
    with closing(sqlite3.connect(data / NAMES[0])) as base:
        base.execute(f"PRAGMA {line}")
        base.commit()
