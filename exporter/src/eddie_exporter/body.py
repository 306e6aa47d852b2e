"""Station *intake*: a request's bytes, read and decompressed inside bounds, before anything looks into them."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from eddie_exporter.answers import RefusalError
from eddie_exporter.decode import MAX_BYTES

SMALL = 64 * 1024
"""Bodies up to here are read without a slot and handled on the event loop; a thread costs more than they do."""
SLOTS = 16
"""Larger bodies held at once. 16 times (8 MiB sent + 8 MiB decompressed) is what memory limits must allow for."""
SECONDS = 60.0
"""How long a body may take: 8 MiB over a 1 Mbit/s line is 64 s, and a stalled sender gives its slot back."""
_MEMBERS = 16
"""Gzip members in a body. Each costs a copy of the rest: 8 MiB of empty members would take minutes."""


def _too_large(limit: int) -> RefusalError:
    return RefusalError(
        413, "too-large", f"at most {limit} bytes after decompression; send the events in several requests"
    )


def gunzip(data: bytes, limit: int = MAX_BYTES) -> bytes:
    """Decompress gzip, never producing more than ``limit`` + 1 bytes.

    Raises RefusalError: 413 when there is more, 422 when it is no gzip or ends early.
    """
    out = bytearray()
    for _ in range(_MEMBERS):
        member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        try:
            out += member.decompress(data, limit + 1 - len(out))
        except zlib.error:
            raise RefusalError(422, "encoding", "gzip data, as Content-Encoding says") from None
        if len(out) > limit:
            raise _too_large(limit)
        if not member.eof:
            raise RefusalError(422, "encoding", "complete gzip data", "data that ends early")
        data = member.unused_data
        if not data:
            return bytes(out)
    raise RefusalError(422, "encoding", f"at most {_MEMBERS} gzip members in a body")


def _encoding(request: Request) -> str:
    """Answer ``gzip`` or ``identity``. Raises RefusalError 415 for everything else, chains of encodings included."""
    named = [one.strip().lower() for one in ",".join(request.headers.getlist("content-encoding")).split(",")]
    used = [one for one in named if one not in {"", "identity"}]
    if not used:
        return "identity"
    if used in (["gzip"], ["x-gzip"]):
        return "gzip"
    raise RefusalError(415, "encoding", "Content-Encoding gzip or none", headers={"Accept-Encoding": "gzip"})


class BodyReader:
    """Reads bodies of at most ``limit`` bytes, at most ``slots`` large ones at once, each within ``seconds``."""

    def __init__(self, limit: int = MAX_BYTES, slots: int = SLOTS, seconds: float = SECONDS) -> None:
        self._limit = limit
        self._slots = asyncio.Semaphore(slots)
        self._seconds = seconds

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """Give the decompressed body; a large one keeps its slot until the block that uses it is left.

        Raises RefusalError: 400 the sender went away, 408 too slow, 413 too large, 415 other encoding, 422 broken gzip.
        """
        encoding = _encoding(request)
        declared = request.headers.get("content-length", "")
        length = int(declared) if declared.isascii() and declared.isdigit() else None
        if length is not None and length > self._limit:
            raise _too_large(self._limit)
        small = length is not None and length <= SMALL and encoding == "identity"
        async with nullcontext() if small else self._slots:
            data = await self._within_time(request)
            yield data if encoding == "identity" else await run_in_threadpool(gunzip, data, self._limit)

    async def _within_time(self, request: Request) -> bytes:
        try:
            async with asyncio.timeout(self._seconds):
                return await self._collect(request)
        except TimeoutError:
            raise RefusalError(408, "slow", f"the whole body within {self._seconds:g} s") from None
        except ClientDisconnect:
            raise RefusalError(400, "disconnected", "the whole body", "the end of the connection") from None

    async def _collect(self, request: Request) -> bytes:
        """Add up what streams in, and stop at the limit whatever Content-Length said."""
        data = bytearray()
        async for chunk in request.stream():
            data += chunk
            if len(data) > self._limit:
                raise _too_large(self._limit)
        return bytes(data)
