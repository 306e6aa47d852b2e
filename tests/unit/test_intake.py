"""Intake: a request is applied whole or not at all, and no input whatever is answered with 5xx."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message
from structlog.testing import capture_logs
from tests.support.collectors import total, value
from tests.support.exporters import app_with, client_of, collector_of

from eddie_exporter.decode import MAX_BYTES
from eddie_metrics.events import KINDS

TIMEOUT = {"agent_id": "a1", "reason": "deadline"}
NDJSON = "application/x-ndjson"

ONE_OF_EACH: dict[str, dict[str, Any]] = {
    "task-split": {"task_id": "t1", "chunks": 3},
    "timeout": TIMEOUT,
    "chunk-started": {"chunk_id": "c1", "agent_id": "a1"},
    "chunk-execution": {"agent_id": "a1", "seconds": 1.5},
    "merge-deduplication": {"chunks": 9, "duplicates": 1},
    "docker-resource-allocation": {"container_id": "c1", "cpu_limit": 0.5},
    "task-started": {"task_id": "t1", "agent_id": "a1", "stage": "plan"},
    "task-finished": {"task_id": "t1", "agent_id": "a1", "stage": "plan", "seconds": 2, "outcome": "success"},
    "fallback-depth-exceeded": {},
    "agent-hello": {"agent_id": "a1"},
}


@pytest.fixture
def app() -> FastAPI:
    """Answer an exporter that asks no token."""
    return app_with()


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Answer its client."""
    async with client_of(app) as client:
        yield client


def accepted(app: FastAPI) -> float:
    """Answer how many events were counted."""
    return total(collector_of(app), "eddie_events_accepted_total")


def rejected(app: FastAPI, reason: str) -> float | None:
    """Answer how many requests were refused for ``reason``."""
    return value(collector_of(app), "eddie_events_rejected_total", reason=reason)


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_has_its_route(app: FastAPI, http: httpx.AsyncClient, kind: str) -> None:
    """An event posted to its kind's path is answered 202 and counted once."""
    answer = await http.post(f"/events/{kind}", json=ONE_OF_EACH[kind])
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "duplicates": 0})
    assert value(collector_of(app), "eddie_events_accepted_total", kind=kind) == 1


@pytest.mark.parametrize("path", ["/events/nope", "/events/", "/events/timeout/", "/Events", "/events/TIMEOUT"])
async def test_no_other_path_takes_events(app: FastAPI, http: httpx.AsyncClient, path: str) -> None:
    """A wrong kind, a slash too many or another case is 404, never a redirect that loses the body."""
    answer = await http.post(path, json=TIMEOUT)
    assert (answer.status_code, answer.json()["error"]) == (404, "not-found")
    assert accepted(app) == 0


async def test_an_array_is_counted(app: FastAPI, http: httpx.AsyncClient) -> None:
    """A JSON array of all kinds is counted, each event by its kind."""
    batch = [{"kind": kind, **fields} for kind, fields in ONE_OF_EACH.items()]
    answer = await http.post("/events", json=batch)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 10, "duplicates": 0})
    assert accepted(app) == 10


async def test_an_empty_array_counts_nothing(app: FastAPI, http: httpx.AsyncClient) -> None:
    """`[]` is fine."""
    answer = await http.post("/events", content=b"[]")
    assert (answer.status_code, answer.json()["accepted"]) == (202, 0)
    assert accepted(app) == 0


async def test_ndjson_is_read_by_its_content_type(app: FastAPI, http: httpx.AsyncClient) -> None:
    """Lines are events when the content type says so, parameters and letter case aside."""
    lines = "\n".join(json.dumps({"kind": "timeout", **TIMEOUT}) for _ in range(3)) + "\n"
    answer = await http.post("/events", content=lines, headers={"content-type": "Application/X-NDJSON; charset=utf-8"})
    assert answer.json() == {"accepted": 3, "duplicates": 0}
    assert accepted(app) == 3


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "text/plain", "x", "", "multipart/form-data"]
)
async def test_every_other_content_type_is_json(app: FastAPI, http: httpx.AsyncClient, content_type: str) -> None:
    """curl's default type and nonsense are read as JSON; lines are then no JSON."""
    headers = {"content-type": content_type}
    one = json.dumps({"kind": "timeout", **TIMEOUT})
    assert (await http.post("/events", content=f"[{one}]", headers=headers)).status_code == 202
    assert (await http.post("/events", content=f"{one}\n{one}", headers=headers)).status_code == 422
    assert accepted(app) == 1


async def test_a_refusal_names_the_event_and_the_field(app: FastAPI, http: httpx.AsyncClient) -> None:
    """422 says index, field, what was expected and what came; nothing of the batch was counted."""
    batch = [{"kind": "timeout", **TIMEOUT}, {"kind": "task-split", "task_id": "t", "chunks": "3"}]
    answer = await http.post("/events", json=batch)
    said = answer.json()
    assert answer.status_code == 422
    assert (said["error"], said["index"], said["field"], said["got"]) == ("contract", 1, "chunks", "`str`")
    assert "int" in said["expected"]
    assert accepted(app) == 0
    assert rejected(app, "contract") == 1


BROKEN: dict[str, bytes] = {
    "empty": b"",
    "bad utf-8": b'{"agent_id":"\xff\xfe","reason":"r"}',
    "lone surrogate": b'{"agent_id":"\\ud800","reason":"r"}',
    "NUL": b'{"agent_id":"a\\u0000b","reason":"r"}',
    "deep": b"[" * 10_000 + b"]" * 10_000,
    "deep objects": b'{"agent_id":' * 10_000 + b"1" + b"}" * 10_000,
    "NaN": b'{"agent_id":"a","seconds":NaN}',
    "bare NaN": b"NaN",
    "1e400": b'{"agent_id":"a","seconds":1e400}',
    "Infinity": b'{"agent_id":"a","seconds":Infinity}',
    "negative": b'{"agent_id":"a","seconds":-1}',
    "array": b"[]",
    "null": b"null",
    "number": b"7",
    "wrong type": b'{"agent_id":["a"],"seconds":1}',
    "boolean": b'{"agent_id":"a","seconds":true}',
    "unknown field": b'{"agent_id":"a","seconds":1,"nope":1}',
    "wrong kind": b'{"kind":"timeout","agent_id":"a","seconds":1}',
    "huge integer": b'{"agent_id":"a","seconds":' + b"9" * 5000 + b"}",
    "many unknown fields": json.dumps({f"f{n}": n for n in range(10_000)}).encode(),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_no_broken_body_is_a_fault(app: FastAPI, http: httpx.AsyncClient, name: str) -> None:
    """Whatever is not an event is 422 with a JSON body, and counts nothing."""
    # In a batch, nothing at all is fine: no elements, no lines.
    fine = {("/events", "array", ""), ("/events", "empty", NDJSON)}
    for path in ("/events/chunk-execution", "/events"):
        for content_type in ("", NDJSON):
            answer = await http.post(path, content=BROKEN[name], headers={"content-type": content_type})
            assert answer.status_code == (202 if (path, name, content_type) in fine else 422), answer.text
            assert answer.status_code == 202 or answer.json()["error"] == "contract"
    assert accepted(app) == 0


async def test_random_bytes_are_never_a_fault(app: FastAPI, http: httpx.AsyncClient) -> None:
    """Bytes of any kind, compressed or not, are refused with a reason."""
    chance = random.Random(3)  # noqa: S311
    for _ in range(200):
        noise = chance.randbytes(chance.randrange(1, 200))
        for headers in ({}, {"content-type": NDJSON}, {"content-encoding": "gzip"}):
            answer = await http.post("/events", content=noise, headers=headers)
            assert answer.status_code == 422, (noise, answer.text)
    assert accepted(app) == 0


async def test_too_many_events_are_refused_whole(app: FastAPI, http: httpx.AsyncClient) -> None:
    """10 000 events are taken, 10 001 are 413 and none of them is counted."""
    one = json.dumps({"kind": "timeout", **TIMEOUT})
    answer = await http.post("/events", content="[" + ",".join([one] * 10_001) + "]")
    assert (answer.status_code, answer.json()["error"]) == (413, "too-many-events")
    assert (accepted(app), rejected(app, "too-many-events")) == (0, 1)
    answer = await http.post("/events", content="[" + ",".join([one] * 10_000) + "]")
    assert (answer.status_code, accepted(app)) == (202, 10_000)


async def test_too_many_bytes_are_refused(app: FastAPI, http: httpx.AsyncClient) -> None:
    """8 MiB of blanks around an event are taken, one byte more is 413."""
    one = json.dumps(TIMEOUT).encode()
    full = one + b" " * (MAX_BYTES - len(one))
    assert (await http.post("/events/timeout", content=full)).status_code == 202
    answer = await http.post("/events/timeout", content=full + b" ")
    assert (answer.status_code, answer.json()["error"]) == (413, "too-large")
    assert (accepted(app), rejected(app, "too-large")) == (1, 1)


async def test_a_body_of_unknown_length_is_counted_while_it_streams(app: FastAPI, http: httpx.AsyncClient) -> None:
    """Without Content-Length the reading stops at the limit, long before the sender ends."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100 * MAX_BYTES:
            sent += 2**20
            yield b" " * 2**20

    # httpx's transport hands over all it has; so the app is called as a server would.
    messages: AsyncIterator[bytes] = endless()
    answers: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": await anext(messages), "more_body": True}

    async def send(message: Message) -> None:
        answers.append(message)

    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
             "path": "/events", "raw_path": b"/events", "query_string": b"", "root_path": "", "headers": [],
             "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2)}  # fmt: skip
    await app(scope, receive, send)
    assert answers[0]["status"] == 413
    assert sent <= MAX_BYTES + 2 * 2**20


async def test_gzip_is_unpacked(app: FastAPI, http: httpx.AsyncClient) -> None:
    """A gzip body is counted, in one member or several, under either of gzip's names."""
    one = json.dumps([{"kind": "timeout", **TIMEOUT}]).encode()
    for packed, name in (
        (gzip.compress(one), "gzip"),
        (gzip.compress(one), "X-GZIP"),
        (gzip.compress(one[:9]) + gzip.compress(one[9:]), "gzip"),
        (one, "identity"),
    ):
        answer = await http.post("/events", content=packed, headers={"content-encoding": name})
        assert answer.status_code == 202, answer.text
    assert accepted(app) == 4


async def test_a_gzip_bomb_is_refused_within_bounds(app: FastAPI, http: httpx.AsyncClient) -> None:
    """A body that unpacks to 256 MiB is 413, and is never unpacked beyond the limit."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(b" " * 2**20) for _ in range(256)) + packer.flush()
    assert len(bomb) < MAX_BYTES
    answer = await http.post("/events", content=bomb, headers={"content-encoding": "gzip"})
    assert (answer.status_code, answer.json()["error"]) == (413, "too-large")
    assert accepted(app) == 0


@pytest.mark.parametrize("cut", [0, 1, 10, -1])
async def test_gzip_that_ends_early_is_refused(app: FastAPI, http: httpx.AsyncClient, cut: int) -> None:
    """Truncated gzip is 422, even when what came holds the whole event."""
    packed = gzip.compress(json.dumps(TIMEOUT).encode())[:cut]
    answer = await http.post("/events/timeout", content=packed, headers={"content-encoding": "gzip"})
    assert answer.status_code == 422
    assert accepted(app) == 0


@pytest.mark.parametrize("name", ["deflate", "br", "zstd", "gzip, gzip", "nonsense", "gzip;q=1"])
async def test_other_encodings_are_refused(app: FastAPI, http: httpx.AsyncClient, name: str) -> None:
    """Any other content encoding is 415, and the answer names the one that works."""
    answer = await http.post("/events/timeout", json=TIMEOUT, headers={"content-encoding": name})
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "gzip")
    assert (accepted(app), rejected(app, "encoding")) == (0, 1)


@pytest.mark.parametrize(
    ("sent", "status"), [("1700000000.5", 202), ("soon", 422), ("nan", 422), ("1e400", 422), ("-1", 422)]
)
async def test_the_senders_clock_is_checked(http: httpx.AsyncClient, sent: str, status: int) -> None:
    """Eddie-Sent is seconds since the epoch, or the request is refused."""
    answer = await http.post("/events/timeout", json=TIMEOUT, headers={"eddie-sent": sent})
    assert answer.status_code == status
    assert status == 202 or answer.json()["field"] == "Eddie-Sent"


async def test_a_body_that_comes_too_slowly_is_given_up() -> None:
    """A sender that stalls gets 408 at the deadline of the settings."""
    app = app_with(receipt_seconds=0.05)

    async def stalls() -> AsyncIterator[bytes]:
        yield b"["
        await asyncio.Event().wait()

    async with client_of(app) as http:
        # httpx's transport reads the request as the app asks for it.
        answer = await http.post("/events", content=stalls())
        assert (answer.status_code, answer.json()["error"]) == (408, "slow")
        assert (await http.post("/events", content=b"[]")).status_code == 202
    assert rejected(app, "slow") == 1


async def test_an_own_mistake_is_500_without_its_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception nobody foresaw is a JSON 500 that shows nothing of it."""
    app = app_with()

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("eddie_exporter.fold.apply", fails)
    with capture_logs() as logged:
        async with client_of(app) as http:
            answer = await http.post("/events/timeout", json=TIMEOUT)
    assert (answer.status_code, answer.json()["error"]) == (500, "fault")
    assert "secret" not in answer.text
    assert str(logged[0]["exc_info"]) == "secret"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
async def test_other_methods_are_405(http: httpx.AsyncClient, method: str) -> None:
    """A route that takes says which method it takes."""
    answer = await http.request(method, "/events/timeout")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
