"""Intake: what reaches the writer, and how its refusals are answered."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from eddie_exporter import answers
from eddie_exporter.access import Access
from eddie_exporter.answers import RefusalError
from eddie_exporter.batch import Batch, Taken
from eddie_exporter.body import BodyReader
from eddie_exporter.intake import FULL, EventsFirst, Intake
from eddie_exporter.settings import Settings

EVENT = {"kind": "timeout", "agent_id": "a1", "reason": "deadline"}
SEALED: dict[str, Any] = {"producer": "p1", "epoch": 7, "seq": 3, "events": [EVENT, EVENT]}


class Double:
    """Takes batches instead of the writer; ``refusal`` is raised when it is awaited, ``at_once`` before."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.reasons: list[str] = []
        self.taken = Taken(2, 0)
        self.refusal: RefusalError | None = None
        self.at_once: RefusalError | None = None

    def submit(self, batch: Batch) -> asyncio.Future[Taken]:
        """Note the batch."""
        if self.at_once is not None:
            raise self.at_once
        self.batches.append(batch)
        future: asyncio.Future[Taken] = asyncio.get_running_loop().create_future()
        if self.refusal is not None:
            future.set_exception(self.refusal)
        else:
            future.set_result(self.taken)
        return future


@pytest.fixture
def writer() -> Double:
    """Answer the writer's double."""
    return Double()


@pytest.fixture
async def http(writer: Double) -> AsyncIterator[httpx.AsyncClient]:
    """Answer a client of an app that has the intake and nothing else."""
    app = FastAPI()
    taking = Intake(Access(Settings()), BodyReader(), writer.submit, writer.reasons.append)
    app.add_middleware(EventsFirst, intake=taking)
    answers.install(app)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as client:
        yield client


async def test_an_envelope_reaches_the_writer_with_its_identity(writer: Double, http: httpx.AsyncClient) -> None:
    """Producer, epoch, seq, what was dropped, and the checksum of the bytes as they were sealed."""
    body = json.dumps({**SEALED, "dropped": {"old": 2}, "contract": 2, "region": "eu"}).encode()
    sent = {"eddie-oldest": "2", "eddie-sent": "1700000000.5"}
    answer = await http.post("/events", content=body, headers=sent)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2, "duplicates": 0})
    [batch] = writer.batches
    found = batch.envelope
    assert found is not None
    assert (found.producer, found.epoch, found.seq, found.oldest) == ("p1", 7, 3, 2)
    assert (found.dropped, found.unknown) == ({"old": 2}, {"envelope": 1})
    assert found.checksum == hashlib.blake2b(body, digest_size=16).digest()
    assert (len(batch.events), batch.size, batch.sent) == (2, len(body), 1_700_000_000.5)


async def test_the_checksum_is_that_of_the_unpacked_body(writer: Double, http: httpx.AsyncClient) -> None:
    """A try that packs the same bytes in another way is the same envelope, at any size; other bytes are not."""
    for body in (json.dumps(SEALED).encode(), json.dumps({**SEALED, "events": [EVENT] * 5000}).encode()):
        writer.batches.clear()
        for level in (1, 9):
            await http.post("/events", content=gzip.compress(body, level), headers={"content-encoding": "gzip"})
        await http.post("/events", content=body)
        await http.post("/events", content=body + b" ")
        sums = [batch.envelope.checksum for batch in writer.batches if batch.envelope]
        assert sums[0] == sums[1] == sums[2] != sums[3]


@pytest.mark.parametrize("content", [[EVENT], []])
async def test_bare_events_have_no_identity(writer: Double, http: httpx.AsyncClient, content: list[Any]) -> None:
    """Negative twin: an array, a line and a single webhook come without an envelope."""
    await http.post("/events", json=content)
    await http.post("/events", content=json.dumps(EVENT), headers={"content-type": "application/x-ndjson"})
    await http.post("/events/timeout", json=EVENT)
    assert [batch.envelope for batch in writer.batches] == [None] * 3
    assert [len(batch.events) for batch in writer.batches] == [len(content), 1, 1]


async def test_an_object_is_an_envelope_and_nothing_else(writer: Double, http: httpx.AsyncClient) -> None:
    """One event posted to the route of many is refused by the field that an envelope would have."""
    answer = await http.post("/events", json=EVENT)
    assert (answer.status_code, writer.batches, writer.reasons) == (422, [], ["contract"])


async def test_duplicates_are_answered_as_such(writer: Double, http: httpx.AsyncClient) -> None:
    """202 says what was counted now and what had been before."""
    writer.taken = Taken(0, 2)
    answer = await http.post("/events", json=SEALED)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 0, "duplicates": 2})


@pytest.mark.parametrize("value", ["0", "-1", "1.0", "x", "", "9007199254740992", "9" * 5000, "4", "٣"])
async def test_the_oldest_seq_is_checked(writer: Double, http: httpx.AsyncClient, value: str) -> None:
    """Eddie-Oldest is a whole number inside its bounds, and never past the envelope's own seq."""
    answer = await http.post("/events", json=SEALED, headers={b"eddie-oldest": value.encode()})
    assert (answer.status_code, answer.json()["field"]) == (422, "Eddie-Oldest")
    assert writer.batches == []


async def test_the_oldest_seq_may_be_the_envelopes_own(writer: Double, http: httpx.AsyncClient) -> None:
    """Negative twin: its own seq, one before it, and no header at all."""
    for value in ("3", "1"):
        assert (await http.post("/events", json=SEALED, headers={"eddie-oldest": value})).status_code == 202
    assert (await http.post("/events", json=SEALED)).status_code == 202
    assert [batch.envelope.oldest for batch in writer.batches if batch.envelope] == [3, 1, None]


REFUSALS: list[tuple[RefusalError, dict[str, Any]]] = [
    (RefusalError(409, "gap", "the next", extra={"expected": 5}), {"error": "gap", "expected": 5}),
    (RefusalError(409, "conflict", "the same bytes"), {"error": "conflict", "expected": "the same bytes"}),
    (RefusalError(409, "expired", "a newer epoch"), {"error": "expired"}),
    (RefusalError(422, "id-old", "newer", extra={"index": 1, "field": "id"}), {"index": 1, "field": "id"}),
    (RefusalError(503, "unavailable", "a store"), {"error": "unavailable"}),
    (RefusalError(507, "disk-full", "room"), {"error": "disk-full"}),
]


@pytest.mark.parametrize(("refusal", "said"), REFUSALS, ids=[one.error for one, _ in REFUSALS])
async def test_the_writers_refusals_are_answered(
    writer: Double, http: httpx.AsyncClient, refusal: RefusalError, said: dict[str, Any]
) -> None:
    """Status, word and what mends it reach the sender; each is counted; what may be tried again says when."""
    writer.refusal = refusal
    answer = await http.post("/events", json=SEALED)
    assert answer.status_code == refusal.status
    assert said.items() <= answer.json().items()
    assert writer.reasons == [refusal.error]
    assert ("retry-after" in answer.headers) == (refusal.status in {503, 507})


async def test_a_full_queue_is_answered_at_once(writer: Double, http: httpx.AsyncClient) -> None:
    """What the writer does not even take is 503 with the time to come back, for batches and single events."""
    writer.at_once = RefusalError(503, "overloaded", "fewer requests at once")
    for path, content in (("/events", SEALED), ("/events", [EVENT]), ("/events/timeout", EVENT)):
        answer = await http.post(path, json=content)
        assert (answer.status_code, answer.json()["error"]) == (503, "overloaded")
        assert int(answer.headers["retry-after"]) > 0
    assert writer.reasons == ["overloaded"] * 3


async def test_without_a_place_nothing_is_read(writer: Double) -> None:
    """A connection past the limit is refused before its token and its body are looked at, and is closed."""
    taking = Intake(Access(Settings()), BodyReader(), writer.submit, writer.reasons.append)
    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    async def receive() -> Any:
        raise AssertionError("expected no look at the body")

    scope = {"type": "http", "method": "POST", "path": "/events", "headers": [], "extensions": {FULL: {}}}
    await taking.answer(scope, receive, send)
    assert said[0]["status"] == 503
    assert dict(said[0]["headers"])[b"connection"] == b"close"
    assert writer.reasons == ["overloaded"]


@pytest.mark.parametrize("change", [lambda body: body[:-1], lambda body: body + b"x", lambda _: b"{" * 100_000])
async def test_what_is_no_envelope_never_reaches_the_writer(
    writer: Double, http: httpx.AsyncClient, change: Callable[[bytes], bytes]
) -> None:
    """Cut short, with something behind it, or opened for ever: 422."""
    answer = await http.post("/events", content=change(json.dumps(SEALED).encode()))
    assert (answer.status_code, writer.batches, writer.reasons) == (422, [], ["contract"])
