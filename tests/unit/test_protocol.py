"""Station intake: a connection is closed when it lets the exporter wait too long, and never while it need not."""

from __future__ import annotations

import contextlib
import itertools
import json
import random

import pytest
from starlette.types import Receive, Scope, Send
from tests.support.exporters import soon
from tests.support.served import Link, served

EVENT = b'{"agent_id":"a1","reason":"deadline"}'
POST = b"POST /events/timeout HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(EVENT)
UPGRADE = b"connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n"
SOON = 0.15


async def is_open(link: Link, through: float = 3 * SOON) -> bool:
    """Whether the other side has said nothing, its end included, for so long."""
    with pytest.raises(TimeoutError):
        await link.ended(within=through)
    return True


@pytest.mark.parametrize("begun", [b"", b"P", b"POST /events HTTP/1.1\r\nhost: x\r\n", b"\r\n"])
async def test_headers_have_a_deadline(begun: bytes) -> None:
    """Who says nothing, or does not end its headers, is told so and closed."""
    async with served(header_seconds=SOON) as there, there.link() as link:
        await link.send(begun)
        said = await link.ended()
    assert said.startswith(b"HTTP/1.1 408 ")
    assert json.loads(said.partition(b"\r\n\r\n")[2])["error"] == "slow"


async def test_a_byte_now_and_then_does_not_help() -> None:
    """The deadline is for all headers together; bytes that come meanwhile do not move it."""
    async with served(header_seconds=2 * SOON) as there, there.link() as link:
        said = b""
        await link.send(b"GET /")
        while not said:
            await link.send(b"x")
            with contextlib.suppress(TimeoutError):
                said = await link.some(within=SOON / 5)
        assert b" 408 " in said


async def test_the_second_request_has_a_deadline_too() -> None:
    """Half a request on a connection that has been good is closed all the same."""
    async with served(header_seconds=SOON) as there, there.link() as link:
        await link.send(POST + EVENT)
        assert (await link.answer())[0] == 202
        await link.send(b"GET / HT")
        assert b" 408 " in await link.ended()


async def test_between_requests_a_connection_may_rest() -> None:
    """Negative twin: an agent's idle connection outlives the headers' deadline, and goes on working."""
    async with served(header_seconds=SOON) as there, there.link() as link:
        for _ in range(2):
            await link.send(POST[:20], POST[20:] + EVENT[:5], EVENT[5:])
            assert (await link.answer())[0] == 202
            assert await is_open(link)


async def test_a_body_has_its_own_deadline() -> None:
    """A body may take longer than headers may: the intake's deadline is for it, and says 408 itself."""
    async with served(header_seconds=SOON, receipt_seconds=4 * SOON) as there:
        async with there.link() as link:
            await link.send(POST)
            assert await is_open(link, through=2 * SOON)
            await link.send(EVENT)
            assert (await link.answer())[0] == 202
        async with there.link() as link:
            await link.send(POST)
            status, body = await link.answer()
            assert (status, json.loads(body)["error"]) == (408, "slow")
            # Its body may still come, as long as headers may.
            assert await link.ended() == b""


async def test_the_rest_of_a_refused_request_is_not_waited_for_long() -> None:
    """A request that is answered before it is whole keeps its connection no longer than headers would."""
    async with served(header_seconds=SOON) as there, there.link() as link:
        await link.send(b"GET /health HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n")
        assert (await link.answer())[0] == 200
        assert await link.ended() == b""


async def says_much(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 128 MiB to everything."""
    if scope["type"] != "http":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    large = bytes(2**24)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % 2**27)]})
    for left in range(7, -1, -1):
        await send({"type": "http.response.body", "body": large, "more_body": left > 0})


async def test_a_reader_that_does_not_read_is_closed() -> None:
    """An answer that nobody takes holds a connection no longer than a body may take to come."""
    async with served(says_much, receipt_seconds=SOON) as there, there.link() as link:
        connections = there.server.server_state.connections
        link.pause()
        await link.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")

        async def under_way() -> None:
            assert connections

        async def gone() -> None:
            assert not connections

        await soon(under_way, within=5)
        await soon(gone, within=5)


async def test_a_reader_that_reads_gets_it_all() -> None:
    """Negative twin: a long answer may take longer than the deadline, as long as it is read."""
    async with served(says_much, receipt_seconds=SOON) as there, there.link() as link:
        await link.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        status, body = await link.answer(within=30)
        assert (status, len(body)) == (200, 2**27)


@pytest.mark.parametrize(
    "endless",
    [
        b"GET /" + b"x" * 2**20,
        b"GET / HTTP/1.1\r\nx: " + b"x" * 2**20,
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 2**17,
        b"POST /events HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n" + b"x: y\r\n" * 2**17,
        b"POST /events HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1;" + b"x" * 2**20,
    ],
)
async def test_headers_without_end_are_refused(endless: bytes) -> None:
    """Headers, trailers and the extensions of chunks have a bound, which the parser itself has not."""
    async with served(header_seconds=60, receipt_seconds=60) as there, there.link() as link:
        for start in range(0, len(endless), 16_384):
            try:
                await link.send(endless[start : start + 16_384])
            except ConnectionError:
                break
        said = await link.ended()
    # Who is still writing may lose the answer to the reset of its connection.
    assert said.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 ")) or said == b""


async def test_long_headers_and_small_chunks_are_fine() -> None:
    """Negative twin: 32 KiB of headers, and a body in chunks of a byte, are taken."""
    head = b"POST /events/timeout HTTP/1.1\r\nhost: x\r\nx: " + b"x" * 32_000 + b"\r\n"
    chunks = b"".join(b"1\r\n%c\r\n" % one for one in EVENT) + b"0\r\n\r\n"
    async with served() as there, there.link() as link:
        for _ in range(3):
            await link.send(head, b"transfer-encoding: chunked\r\n\r\n", chunks[:50], chunks[50:])
            assert (await link.answer())[0] == 202


@pytest.mark.parametrize("header", [UPGRADE, UPGRADE.replace(b"Upgrade: ", b"UPGRADE : "), UPGRADE.lower()])
async def test_an_offer_of_http_2_costs_no_body(header: bytes) -> None:
    """Java's client offers HTTP/2 with its first request; the offer is passed over and the event counted."""
    request = b"POST /events/timeout HTTP/1.1\r\nhost: x\r\n%scontent-length: %d\r\n\r\n" % (header, len(EVENT))
    async with served() as there, there.link() as link:
        for _ in range(2):
            await link.send(request + EVENT)
            status, body = await link.answer()
            # A blank before the colon is no HTTP.
            assert status == (400 if b" :" in header else 202), body
            if status == 400:
                break


async def test_a_body_may_speak_of_upgrades() -> None:
    """Negative twin: only the header is passed over, never the same words in a body."""
    body = json.dumps({"agent_id": "a1", "reason": "\nupgrade: "}).encode().replace(b"\\n", b"")
    head = b"POST /events/timeout HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"
    async with served() as there, there.link() as link:
        await link.send(head % len(body) + body)
        assert (await link.answer())[0] == 202
        padded = b"\nupgrade: 1"
        await link.send(head % len(padded) + padded)
        assert (await link.answer())[0] == 422


async def test_requests_sent_together_are_answered_in_order() -> None:
    """Pipelined requests have no deadline of headers while an earlier one is being answered."""
    async with served(header_seconds=SOON) as there, there.link() as link:
        await link.send((POST + EVENT) * 50 + b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        assert [(await link.answer())[0] for _ in range(51)] == [202] * 50 + [200]
        assert await is_open(link)


async def test_what_is_no_http_is_400_as_json() -> None:
    """Also what the parser refuses is refused in the form of all refusals."""
    async with served() as there, there.link() as link:
        await link.send(b"\x00\x01\x02\r\n\r\n")
        said = await link.ended()
    assert said.startswith(b"HTTP/1.1 400 ")
    assert json.loads(said.partition(b"\r\n\r\n")[2])["error"] == "http"


async def test_requests_cut_anywhere_are_the_same() -> None:
    """However the network cuts a request, with a length or in chunks, and whatever follows at once, it counts once."""
    chance = random.Random(6)  # noqa: S311
    chunked = b"POST /events/timeout HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    chunked += b"%x\r\n%b\r\n0\r\n\r\n" % (len(EVENT), EVENT)
    requests = (POST + EVENT, chunked, (POST + EVENT) * 3, chunked + POST + EVENT)
    async with served() as there, there.link() as link:
        await link.send(POST + EVENT)
        await link.answer()
        [protocol] = there.server.server_state.connections
        for turn in range(100):
            request = requests[turn % len(requests)]
            cuts = sorted(chance.sample(range(1, len(request)), chance.randrange(0, 12)))
            for start, end in itertools.pairwise([0, *cuts, len(request)]):
                protocol.data_received(request[start:end])
            for _ in range(request.count(b"POST")):
                status, body = await link.answer()
                assert (status, json.loads(body)["accepted"]) == (202, 1), (request, cuts)
