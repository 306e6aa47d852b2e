"""Station intake: connections are let in while there is place, refused in words past it, and taken again afterwards."""

from __future__ import annotations

import contextlib
import errno
import json
import resource
import socket
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs
from tests.support.collectors import value
from tests.support.exporters import app_with, collector_of, soon
from tests.support.served import Served, served

from eddie_exporter import server
from eddie_exporter.settings import Settings

EVENT = b'{"agent_id":"a1","reason":"deadline"}'
POST = b"POST /events/timeout HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(EVENT) + EVENT
SCRAPE = b"GET /metrics/prometheus HTTP/1.1\r\nhost: x\r\n\r\n"


async def asked(there: Served, request: bytes) -> tuple[int, bytes]:
    """Answer status and body of one request on a connection of its own."""
    async with there.link() as link:
        await link.send(request)
        return await link.answer()


async def test_past_the_limit_events_are_refused_in_words() -> None:
    """Who comes when all places are taken gets 503 with the time to come back, and it is counted."""
    app = app_with()
    async with contextlib.AsyncExitStack() as stack:
        there = await stack.enter_async_context(served(app, max_connections=2))
        kept = [await stack.enter_async_context(there.link()) for _ in range(2)]
        for link in kept:
            await link.send(POST)
            assert (await link.answer())[0] == 202
        async with there.link() as late:
            await late.send(POST)
            said = await late.ended()
        assert said.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: " in said.lower()
        assert json.loads(said.partition(b"\r\n\r\n")[2])["error"] == "overloaded"

        async def counted() -> None:
            assert value(collector_of(app), "eddie_events_rejected_total", reason="overloaded") == 1

        await soon(counted, within=5)
        # Negative twins: those who are in go on, and a scrape is answered all the same.
        await kept[0].send(POST)
        assert (await kept[0].answer())[0] == 202
        assert (await asked(there, SCRAPE))[0] == 200


async def test_a_place_that_is_left_is_taken_again() -> None:
    """When a connection ends, the next one is served like any."""
    async with served(max_connections=1) as there:
        async with there.link() as first:
            await first.send(POST)
            await first.answer()
            assert (await asked(there, POST))[0] == 503

        async def served_again() -> None:
            assert (await asked(there, POST))[0] == 202

        await soon(served_again, within=5)


async def test_past_the_spare_places_who_knocks_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond all places nobody is accepted until a place is free, and then all are."""
    monkeypatch.setattr(server, "SPARE", 1)
    async with (
        served(max_connections=1) as there,
        there.link() as first,
        there.link() as second,
        there.link() as third,
    ):
        await first.send(POST)
        assert (await first.answer())[0] == 202
        await second.send(SCRAPE)
        assert (await second.answer())[0] == 200
        await third.send(SCRAPE)
        with pytest.raises(TimeoutError):
            await third.answer(within=0.3)
        first.writer.close()
        assert (await third.answer())[0] == 200


class Scarce(socket.socket):
    """A listener whose process has no file left for a connection, for the first ``times`` it is asked."""

    times = 0
    error = errno.EMFILE

    def accept(self) -> tuple[socket.socket, object]:
        """Accept, or fail as the kernel does."""
        if Scarce.times > 0:
            Scarce.times -= 1
            raise OSError(Scarce.error, "no file")
        return super().accept()


@pytest.fixture
def scarce(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Scarce]]:
    """Let every listener that is made be a scarce one."""
    monkeypatch.setattr(socket, "create_server", _listening)
    yield Scarce
    Scarce.times = 0


def _listening(address: tuple[str, int], **_: object) -> socket.socket:
    made = Scarce(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.bind(address)
    made.listen(128)
    return made


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
async def test_files_that_run_out_are_waited_for(scarce: type[Scarce], error: int) -> None:
    """When no file is left the exporter says it once, tries again, and serves whoever waited."""
    scarce.error, scarce.times = error, 4
    with capture_logs() as logged:
        async with served() as there:
            assert (await asked(there, POST))[0] == 202
            assert scarce.times == 0
            assert (await asked(there, POST))[0] == 202
    assert [line["event"] for line in logged if line["log_level"] == "error"] == [
        "no connection can be taken until one ends"
    ]


@pytest.mark.parametrize(("files", "places"), [(65_536, 4096), (1024, 896), (96, 52), (3, 2)])
def test_connections_leave_files_for_the_rest(monkeypatch: pytest.MonkeyPatch, files: int, places: int) -> None:
    """Where the process may open few files, the store and the neighbours keep theirs, and the log says so."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    with capture_logs() as logged, socket.create_server(("127.0.0.1", 0)) as listener:
        made = server.server(app_with(), listener, Settings(docker=False))
    assert made.config.http.patience.connections == places  # type: ignore[union-attr]
    assert bool(logged) == (places < 4096)
