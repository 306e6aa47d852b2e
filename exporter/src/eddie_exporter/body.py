"""Station *intake*: a request's bytes, read and decompressed inside bounds, before anything looks into them."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, Self, TypeVar

from starlette.types import Receive, Scope

from eddie_exporter.answers import RefusalError
from eddie_exporter.decode import MAX_BYTES

SMALL = 64 * 1024
"""Bodies up to here need no room and are handled on the event loop; a thread costs more than they do."""
ROOM = 128 * 2**20
"""Bytes of larger bodies held at once, sent and decompressed. Counted as they arrive, so that who announces 8 MiB
and stalls takes the room of what he sent and no more; past it 503, because waiting for room is a place to stall too."""
SECONDS = 60.0
"""How long a body may take: 8 MiB over a 1 Mbit/s line is 64 s."""
STALL_SECONDS = 5.0
"""How long a large body may take for each further 64 KiB (13 kB/s): what was sent holds room until all is there."""
_MEMBERS = 16
"""Gzip members in a body. Each costs a copy of the rest: 8 MiB of empty members would take minutes."""

P = ParamSpec("P")
T = TypeVar("T")
Headers = Mapping[bytes, bytes]


def headers_of(scope: Scope) -> Headers:
    """Answer a request's headers by their lower-case name, repeated ones joined by commas (RFC 9110 section 5.3)."""
    pairs: list[tuple[bytes, bytes]] = scope["headers"]
    found = dict(pairs)
    if len(found) != len(pairs):
        for name in found:
            found[name] = b", ".join(value for one, value in pairs if one == name)
    return found


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


def _gunzip_small(data: bytes) -> bytes | None:
    """Decompress on the event loop what stays small; None for everything that has to be looked at elsewhere."""
    member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        out = member.decompress(data, SMALL)
    except zlib.error:
        return None
    return out if member.eof and not member.unused_data else None


def _is_gzip(headers: Headers) -> bool:
    """Whether a body is gzip. Raises RefusalError 415 for everything else, chains of encodings included."""
    value = headers.get(b"content-encoding")
    if value is None:
        return False
    used = [one for one in (part.strip().lower() for part in value.split(b",")) if one not in {b"", b"identity"}]
    if not used:
        return False
    if used in ([b"gzip"], [b"x-gzip"]):
        return True
    raise RefusalError(415, "encoding", "Content-Encoding gzip or none", headers={"Accept-Encoding": "gzip"})


class Held:
    """The room one request has taken; all of it is given back when the ``with`` block is left."""

    __slots__ = ("_bodies", "bytes")

    def __init__(self, bodies: BodyReader) -> None:
        self._bodies = bodies
        self.bytes = 0

    def __enter__(self) -> Self:
        """Begin with nothing."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give back what was taken."""
        self._bodies.held -= self.bytes

    def take(self, number: int) -> None:
        """Take room for ``number`` more bytes. Raises RefusalError 503 when there is not so much left."""
        if self._bodies.held + number > self._bodies.room:
            raise RefusalError(503, "overloaded", "fewer large bodies at once; wait and send the same again")
        self._bodies.held += number
        self.bytes += number


class BodyReader:
    """Reads bodies of at most ``limit`` bytes, ``room`` bytes of large ones at once, each within ``seconds``.

    Beyond the first 64 KiB each further 64 KiB comes within ``stall`` seconds.
    """

    def __init__(
        self, limit: int = MAX_BYTES, room: int = ROOM, seconds: float = SECONDS, stall: float = STALL_SECONDS
    ) -> None:
        self.room = room
        self.held = 0
        self._limit = limit
        self._seconds = seconds
        self._stall = stall
        # One: the interpreter would not run two at a time, and each thread keeps a heap of its own, so that
        # forty of them, each with one large body in its turn, hold forty large bodies' memory for good.
        self._thread = ThreadPoolExecutor(1, "eddie-large")

    def holding(self) -> Held:
        """Answer the place where a request's room is noted, a context manager."""
        return Held(self)

    async def aside(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do the work of a large body in the one thread there is for it."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(work, *args, **kwargs))

    async def read(self, headers: Headers, receive: Receive, held: Held) -> bytes:
        """Answer the decompressed body.

        Raises RefusalError: 400 the sender went away, 408 too slow, 413 too large, 415 other encoding,
        422 broken gzip, 503 no room.
        """
        packed = _is_gzip(headers)
        declared = headers.get(b"content-length", b"")
        if declared.isdigit() and int(declared[:20]) > self._limit:
            raise _too_large(self._limit)
        data = await self._within_time(receive, held)
        if not packed:
            return data
        small = _gunzip_small(data) if len(data) <= SMALL else None
        if small is not None:
            return small
        held.take(self._limit)
        return await self.aside(gunzip, data, self._limit)

    async def _within_time(self, receive: Receive, held: Held) -> bytes:
        try:
            async with asyncio.timeout(self._seconds) as deadline:
                message = await receive()
                if message["type"] == "http.request" and not message.get("more_body", False):
                    data: bytes = message.get("body", b"")
                    if len(data) > SMALL:
                        self._check(len(data))
                        held.take(len(data))
                    return data
                return await self._collect(message, receive, held, deadline)
        except TimeoutError:
            expected = f"the whole body within {self._seconds:g} s, and of a large one 64 KiB every {self._stall:g} s"
            raise RefusalError(408, "slow", expected) from None

    async def _collect(
        self, message: Mapping[str, bytes | bool | str], receive: Receive, held: Held, deadline: asyncio.Timeout
    ) -> bytes:
        """Add up what streams in, and stop at the limit whatever Content-Length said."""
        data = bytearray()
        end = deadline.when() or 0.0
        due = SMALL
        while True:
            if message["type"] == "http.disconnect":
                raise RefusalError(400, "disconnected", "the whole body", "the end of the connection")
            data += message.get("body", b"")  # type: ignore[arg-type]
            self._check(len(data))
            if len(data) > SMALL:
                held.take(len(data) - held.bytes)
            if not message.get("more_body", False):
                return bytes(data)
            if len(data) > due:
                due = len(data) + SMALL
                deadline.reschedule(min(end, asyncio.get_running_loop().time() + self._stall))
            message = await receive()

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise _too_large(self._limit)
