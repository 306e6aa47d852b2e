"""Before the log: a file, a packed one or what is piped in, made one plain file that can be read from any place."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from replaying.log import ReplayError

PIPED = "-"
CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Source:
    """``plain`` is read; ``named`` is what the person knows, beside which the small files are kept."""

    plain: Path
    named: Path


@contextlib.contextmanager
def opened(word: str, kept: Path, piped: BinaryIO | None = None) -> Iterator[Source]:
    """Give the log called ``word``; ``-`` is standard input, kept in ``kept``. Raises ReplayError, OSError."""
    if word == PIPED:
        path = _keep(piped or sys.stdin.buffer, kept)
        yield Source(path, path)
        return
    named = Path(word)
    with named.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    if not packed:
        yield Source(named, named)
        return
    with tempfile.TemporaryDirectory(prefix="eddie-replay-") as folder:
        plain = Path(folder) / named.name.removesuffix(".gz")
        _unpack(named, plain)
        yield Source(plain, named)


def _unpack(packed: Path, plain: Path) -> None:
    try:
        with gzip.open(packed) as file, plain.open("wb") as out:
            shutil.copyfileobj(file, out, CHUNK)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ReplayError(
            f"expected {packed} to be gzip from beginning to end, got: {error}; what is whole in it is replayed by"
            f" `zcat {packed} | scripts/replay.py -`"
        ) from error


def _keep(piped: BinaryIO, folder: Path) -> Path:
    """Write what is piped in to a file named by its content: the same bytes again are the same replay, counted once."""
    digest = hashlib.sha256()
    with tempfile.NamedTemporaryFile(dir=folder, prefix="replay-", suffix=".part") as file:
        while part := piped.read(CHUNK):
            digest.update(part)
            file.write(part)
        file.flush()
        path = folder / f"replay-{digest.hexdigest()[:16]}.ndjson"
        if not path.exists():
            shutil.copyfile(file.name, path.with_suffix(".new"))
            path.with_suffix(".new").replace(path)
    return path
