"""Station intake: reading a body costs no more than what a body may have, and a stalled sender harms nobody else."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
from collections.abc import Sequence

import pytest
from starlette.types import Message, Receive

from eddie_exporter.answers import RefusalError
from eddie_exporter.body import SMALL, BodyReader, gunzip, headers_of

LIMIT = 2**20
NONE: dict[bytes, bytes] = {}
GZIP = {b"content-encoding": b"gzip"}


def sends(*chunks: bytes, ends: bool = True) -> Receive:
    """Answer what gives a body in these chunks, and then waits for ever unless the body ``ends``."""
    left = list(chunks)

    async def receive() -> Message:
        if not left:
            await asyncio.Event().wait()
        body = left.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(left) or not ends}

    return receive


async def read(
    bodies: BodyReader, receive: Receive, headers: dict[bytes, bytes] = NONE, *, held: list[int] | None = None
) -> bytes:
    """Read one body, and note in ``held`` how much room was taken at the end."""
    with bodies.holding() as room:
        try:
            return await bodies.read(headers, receive, room)
        finally:
            if held is not None:
                held.append(bodies.held)


async def refused(bodies: BodyReader, receive: Receive, headers: dict[bytes, bytes] = NONE) -> tuple[int, str]:
    """Answer status and word of a body's refusal."""
    with pytest.raises(RefusalError) as caught:
        await read(bodies, receive, headers)
    return caught.value.status, caught.value.error


def test_a_gzip_bomb_is_never_unpacked() -> None:
    """Of 64 MiB in a small body hardly more than the limit is ever held."""
    bomb = gzip.compress(bytes(64 * LIMIT))
    tracemalloc.start()
    try:
        with pytest.raises(RefusalError) as caught:
            gunzip(bomb, LIMIT)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.status == 413
    assert peak < 8 * LIMIT


def test_many_gzip_members_are_refused() -> None:
    """Each member costs a copy of the rest, so a body of very many would take minutes."""
    with pytest.raises(RefusalError):
        gunzip(gzip.compress(b"") * 17, LIMIT)


def test_what_fits_is_unpacked_whole() -> None:
    """Negative twin: exactly the limit, and as many members as are allowed."""
    assert gunzip(gzip.compress(bytes(LIMIT)), LIMIT) == bytes(LIMIT)
    assert gunzip(gzip.compress(b"x") * 16, LIMIT) == b"x" * 16


@pytest.mark.parametrize("chunks", [(b"abc",), (b"a", b"", b"bc"), (b"a" * SMALL, b"b" * SMALL, b"c")])
async def test_a_body_is_the_sum_of_its_chunks(chunks: Sequence[bytes]) -> None:
    """However a body was cut on its way, it comes out whole, packed or not."""
    bodies, whole = BodyReader(LIMIT), b"".join(chunks)
    assert await read(bodies, sends(*chunks)) == whole
    packed = gzip.compress(whole)
    assert await read(bodies, sends(packed[:5], packed[5:]), GZIP) == whole
    assert bodies.held == 0


async def test_small_bodies_need_no_room() -> None:
    """With no room left at all, what is small is read, packed too."""
    bodies, held = BodyReader(LIMIT, room=0), list[int]()
    assert await read(bodies, sends(b"x" * SMALL), held=held) == b"x" * SMALL
    assert await read(bodies, sends(gzip.compress(b"x" * (SMALL - 1))), GZIP, held=held) == b"x" * (SMALL - 1)
    assert held == [0, 0]


async def test_past_the_room_large_bodies_are_refused() -> None:
    """A large body that finds no room is 503 at once, in one piece, in several, or when it is unpacked."""
    large = b"x" * (SMALL + 1)
    for bodies, receive, headers in (
        (BodyReader(LIMIT, room=SMALL), sends(large), NONE),
        (BodyReader(LIMIT, room=SMALL), sends(b"x", large), NONE),
        (BodyReader(LIMIT, room=LIMIT - 1), sends(gzip.compress(large)), GZIP),
    ):
        assert await refused(bodies, receive, headers) == (503, "overloaded")
        assert bodies.held == 0


async def test_a_stalled_sender_holds_what_it_sent_and_no_more() -> None:
    """A hundred announce the largest body and stall: the room they take is what came, and others are read."""
    bodies = BodyReader(room=2**20, seconds=60, stall=60)
    announced = {b"content-length": b"8388608"}
    stalled = [asyncio.create_task(read(bodies, sends(b"x" * 100, ends=False), announced)) for _ in range(100)]
    _, waiting = await asyncio.wait(stalled, timeout=0.02)
    assert (len(waiting), bodies.held) == (100, 0)
    assert len(await read(bodies, sends(b"x" * (2**20)))) == 2**20
    for task in stalled:
        task.cancel()
    await asyncio.gather(*stalled, return_exceptions=True)


async def test_a_large_body_has_to_go_on_coming() -> None:
    """Who has sent much and stops is given up soon, and his room is free again."""
    bodies = BodyReader(seconds=60, stall=0.05)
    assert await refused(bodies, sends(b"x" * (2 * SMALL), ends=False)) == (408, "slow")
    assert bodies.held == 0


async def test_a_small_body_has_the_whole_time() -> None:
    """Negative twin: what holds no room may take as long as any body."""
    bodies, go_on = BodyReader(seconds=60, stall=0.001), asyncio.Event()

    async def receive() -> Message:
        if go_on.is_set():
            return {"type": "http.request", "body": b"y"}
        go_on.set()
        return {"type": "http.request", "body": b"x", "more_body": True}

    assert await read(bodies, receive) == b"xy"
    assert await refused(BodyReader(seconds=0.05), sends(b"x", ends=False)) == (408, "slow")


@pytest.mark.parametrize("chunk", [1, SMALL, LIMIT])
async def test_reading_stops_at_the_limit(chunk: int) -> None:
    """A byte too many is 413, whatever Content-Length says and however the body is cut."""
    bodies = BodyReader(LIMIT)
    body = [bytes(LIMIT - LIMIT % chunk), b"x" * chunk]
    for headers in ({}, {b"content-length": b"1"}, {b"content-length": b"nonsense"}):
        assert await refused(bodies, sends(*body), headers) == (413, "too-large")
    assert await refused(bodies, sends(b"x" * (LIMIT + 1))) == (413, "too-large")
    assert len(await read(bodies, sends(bytes(LIMIT)))) == LIMIT


@pytest.mark.parametrize("declared", [b"1048577", b"9" * 5000])
async def test_what_announces_too_much_is_not_read(declared: bytes) -> None:
    """413 comes before the first byte is asked for."""
    assert await refused(BodyReader(LIMIT), sends(ends=False), {b"content-length": declared}) == (413, "too-large")


async def test_a_sender_that_goes_away_is_refused() -> None:
    """What ended before its end is 400, and its room is free again."""
    bodies = BodyReader()
    messages: list[Message] = [
        {"type": "http.request", "body": bytes(2 * SMALL), "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return messages.pop(0)

    assert await refused(bodies, receive) == (400, "disconnected")
    assert bodies.held == 0


def test_repeated_headers_are_joined() -> None:
    """A header sent twice is one list, so that nobody hides a second encoding or token behind the first."""
    pairs = [(b"content-encoding", b"gzip"), (b"host", b"x"), (b"content-encoding", b"br")]
    assert headers_of({"headers": pairs}) == {b"content-encoding": b"gzip, br", b"host": b"x"}
