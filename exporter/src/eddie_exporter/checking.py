"""Beside the data's way: says what an exporter would use, and what is to be mended first; changes nothing.

It looks at the settings, the token files and the store's directory as they are now. It opens no port, takes no lock
and makes no file, so it may be run beside an exporter that serves.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import sqlite3
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

from eddie_exporter import settings
from eddie_exporter.access import Access
from eddie_exporter.errors import SettingsError
from eddie_exporter.opening import APPLICATION_ID, NAME, SCHEMA, WAY_OUT
from eddie_exporter.settings import Settings

_MAGIC = b"SQLite format 3\0"
_TOKEN_FILES = ("ingest_token_file", "alerts_token_file", "read_token_file")


@dataclass
class Report:
    """What would be used, a line each, and what has to be mended before; nothing to mend: it would start."""

    found: list[str] = field(default_factory=list)
    to_mend: list[str] = field(default_factory=list)


def check() -> Report:
    """Look at everything an exporter reads before it serves."""
    report = Report()
    try:
        chosen = settings.load()
    except SettingsError as error:
        report.to_mend += error.mistakes
        return report
    report.found += _settings(chosen)
    _address(chosen, report)
    _token_files(chosen, report)
    if chosen.data_dir is None:
        report.found.append("store: none, EDDIE_DATA_DIR is not set: what is counted is gone when the exporter ends")
    else:
        _store(chosen.data_dir, chosen.buckets, report)
    return report


def _settings(chosen: Settings) -> list[str]:
    """List the settings, those nobody set marked so; and by name alone what is none of the exporter's."""
    lines = []
    for name in type(chosen).model_fields:
        origin = "" if name in chosen.model_fields_set else "  (default)"
        lines.append(f"EDDIE_{name.upper()}={_shown(getattr(chosen, name))}{origin}")
    known = {f"EDDIE_{name.upper()}" for name in type(chosen).model_fields}
    foreign = sorted(name for name in os.environ if name.startswith("EDDIE_") and name not in known)
    if foreign:
        lines.append(f"not read by the exporter, somebody else's or misspelt: {', '.join(foreign)}")
    return lines


def _shown(value: object) -> str:
    """Write a setting as its variable has it, an address without its password and its query."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return " ".join(f"{one:g}" for one in value)
    if isinstance(value, str) and "://" in value:
        return _without_secrets(value)
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _without_secrets(address: str) -> str:
    try:
        parts = urllib.parse.urlsplit(address)
    except ValueError:
        return "…"
    host = parts.netloc.rpartition("@")
    hidden = parts._replace(netloc=f"…@{host[2]}" if host[1] else parts.netloc, query="…" if parts.query else "")
    return urllib.parse.urlunsplit(hidden)


def _address(chosen: Settings, report: Report) -> None:
    try:
        socket.getaddrinfo(chosen.host, chosen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        report.to_mend.append(f"EDDIE_HOST={chosen.host}: expected an address of this machine: {error}")


def _token_files(chosen: Settings, report: Report) -> None:
    try:
        Access(chosen)
    except SettingsError as error:
        report.to_mend += error.mistakes
    for name in _TOKEN_FILES:
        setting, path = f"EDDIE_{name.upper()}", getattr(chosen, name)
        door = name.partition("_")[0]
        if path is None:
            report.found.append(f"door {door}: open, {setting} is not set")
        elif not any(mistake.startswith(f"{setting}=") for mistake in report.to_mend):
            report.found.append(f"door {door}: asks for a token of {path}, which can be read")


def _store(folder: Path, buckets: tuple[float, ...], report: Report) -> None:
    """Judge the store's directory, and the store in it as far as it can be read without opening it."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.R_OK | os.W_OK | os.X_OK):
        who = f"uid {os.geteuid()} may read and write"
        report.to_mend.append(f"EDDIE_DATA_DIR={folder}: expected a directory that {who}, got {there}, which is none")
        return
    if there != folder:
        report.found.append(f"store: none yet, {folder} would be made")
        return
    user = _user(folder)
    used = f", in use by process {user}" if user else ""
    path = folder / NAME
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(100)
    except FileNotFoundError:
        report.found.append(f"store: none yet in {folder}, the exporter would begin at zero")
        return
    except OSError as error:
        report.to_mend.append(f"{path}: {error.strerror}; let uid {os.geteuid()} read and write it")
        return
    wrong = _recognised(path, head) or (None if user else _other_buckets(path, buckets))
    if wrong:
        report.to_mend.append(wrong)
    else:
        report.found.append(f"store: {path}, {size} bytes{used}")


def _recognised(path: Path, head: bytes) -> str | None:
    """Say what is wrong by the first page's header (SQLite's file format, section 1.3), None when nothing is."""
    if not head:
        return None
    if not head.startswith(_MAGIC) or len(head) < 100:
        return f"{path}: expected a store of this exporter, got another file; {WAY_OUT}"
    schema, owner = int.from_bytes(head[60:64]), int.from_bytes(head[68:72])
    # Neither is written yet: a store that was begun and never used, or whose first page is still in the log.
    if owner == schema == 0:
        return None
    if owner != APPLICATION_ID:
        return f"{path}: expected a store of this exporter, got another database; {WAY_OUT}"
    if schema > SCHEMA:
        return (
            f"{path}: written by a newer exporter (schema {schema}, this one knows {SCHEMA}); start that, or {WAY_OUT}"
        )
    return None


def _other_buckets(path: Path, buckets: tuple[float, ...]) -> str | None:
    """Say when events were counted with other buckets; what a crash left in the log is not looked at."""
    with contextlib.suppress(sqlite3.Error, ValueError, TypeError, OSError):
        # Immutable: SQLite makes no file and takes no lock.
        address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        with contextlib.closing(sqlite3.connect(address, uri=True)) as db:
            row = db.execute("SELECT value FROM meta WHERE key = 'buckets'").fetchone()
            counted = db.execute("SELECT 1 FROM series LIMIT 1").fetchone()
        if row and counted and tuple(json.loads(row[0])) != buckets:
            before = " ".join(f"{bound:g}" for bound in json.loads(row[0]))
            return f"EDDIE_BUCKETS: {path} was counted with {before}; set that again, or {WAY_OUT}"
    return None


def _user(folder: Path) -> int | None:
    """Answer the process that holds the store's lock, as far as the kernel tells; nobody's lock is taken for that."""
    with contextlib.suppress(OSError):
        inode = (folder / "lock").stat().st_ino
        for line in Path("/proc/locks").read_text("ascii").splitlines():
            found = re.search(rf"FLOCK .* (-?\d+) \S+:{inode} ", line)
            if found:
                return int(found[1])
    return None
