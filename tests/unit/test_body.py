"""Station intake: decompressing a body costs no more than what a body may have."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest

from eddie_exporter.answers import RefusalError
from eddie_exporter.body import gunzip

LIMIT = 2**20


def test_a_gzip_bomb_is_never_unpacked() -> None:
    """Of 64 MiB in a small body hardly more than the limit is ever held."""
    bomb = gzip.compress(bytes(64 * LIMIT))
    tracemalloc.start()
    try:
        with pytest.raises(RefusalError) as refused:
            gunzip(bomb, LIMIT)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert refused.value.status == 413
    assert peak < 8 * LIMIT


def test_many_gzip_members_are_refused() -> None:
    """Each member costs a copy of the rest, so a body of very many would take minutes."""
    with pytest.raises(RefusalError):
        gunzip(gzip.compress(b"") * 17, LIMIT)


def test_what_fits_is_unpacked_whole() -> None:
    """Negative twin: exactly the limit, and as many members as are allowed."""
    assert gunzip(gzip.compress(bytes(LIMIT)), LIMIT) == bytes(LIMIT)
    assert gunzip(gzip.compress(b"x") * 16, LIMIT) == b"x" * 16
