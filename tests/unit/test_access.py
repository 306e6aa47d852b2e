"""Access: tokens from files, read again when they change, refused before the body is read, never failing open."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from tests.support.collectors import total, value
from tests.support.exporters import app_with, client_of, collector_of

from eddie_exporter.errors import TokenFileError

EVENT = {"agent_id": "a1", "reason": "deadline"}
READS = ["/", "/metrics", "/metrics/prometheus", "/metrics/summary", "/runbook", "/docs", "/openapi.json"]


def bearer(token: str) -> dict[str, str]:
    """Answer the header that carries a token."""
    return {"authorization": f"Bearer {token}"}


def file_of(folder: Path, text: str, name: str = "tokens") -> Path:
    """Write a token file as a person's editor does: a new file in the old one's place."""
    made = folder / f"{name}.new"
    made.write_text(text)
    return made.rename(folder / name)


def envelope_of(producer: str) -> dict[str, Any]:
    """Answer the first envelope of a producer."""
    return {"producer": producer, "epoch": 1, "seq": 1, "events": [{"kind": "timeout", **EVENT}]}


def guarded(folder: Path, **settings: Any) -> FastAPI:
    """Answer an exporter with a token for each door."""
    doors = {f"{door}_token_file": file_of(folder, f"{door}-token\n", door) for door in ("ingest", "alerts", "read")}
    return app_with(**{**doors, **settings})


async def test_a_token_opens_its_door(tmp_path: Path) -> None:
    """With the token an event is counted; without it, it is 401 and counted as refused."""
    app = guarded(tmp_path)
    async with client_of(app) as http:
        assert (await http.post("/events/timeout", json=EVENT, headers=bearer("ingest-token"))).status_code == 202
        refused = await http.post("/events/timeout", json=EVENT)
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert value(collector_of(app), "eddie_events_accepted_total", kind="timeout") == 1
    assert value(collector_of(app), "eddie_events_rejected_total", reason="unauthorized") == 1


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer ingest-toke", "Bearer ingest-token2", "ingest-token", "Basic aW5nZXN0LXRva2Vu",
     "Bearer \xff\xfe", "Basic ====", "Bearer ingest-token,ingest-token", "bearer  x  y"],
)  # fmt: skip
async def test_anything_else_is_401(tmp_path: Path, header: str) -> None:
    """A header that is not exactly a good token opens nothing, and breaks nothing."""
    async with client_of(guarded(tmp_path)) as http:
        sent = {b"authorization": header.encode("latin-1")}
        assert (await http.post("/events/timeout", json=EVENT, headers=sent)).status_code == 401
        assert (await http.get("/metrics", headers=sent)).status_code == 401


async def test_another_doors_token_is_403(tmp_path: Path) -> None:
    """A token that is good elsewhere is 403, so that its owner looks at the door and not at the token."""
    async with client_of(guarded(tmp_path)) as http:
        assert (await http.post("/events/timeout", json=EVENT, headers=bearer("read-token"))).status_code == 403
        assert (await http.post("/alerts", json={"alerts": []}, headers=bearer("ingest-token"))).status_code == 403
        assert (await http.get("/metrics", headers=bearer("alerts-token"))).status_code == 403
        assert (await http.post("/alerts", json={"alerts": []}, headers=bearer("alerts-token"))).status_code == 202


@pytest.mark.parametrize("path", READS)
async def test_reads_need_the_read_token(tmp_path: Path, path: str) -> None:
    """Every reading route is closed without the read token, and not with it."""
    runbook = tmp_path / "runbook.md"
    runbook.write_text("# Runbook")
    async with client_of(guarded(tmp_path, runbook=runbook)) as http:
        assert (await http.get(path)).status_code == 401
        assert (await http.get(path, headers=bearer("read-token"))).status_code == 200


async def test_a_browser_reads_with_the_token_as_password(tmp_path: Path) -> None:
    """Basic opens reads, because a browser can ask a person for nothing else; it sends no events."""
    basic = {"authorization": f"Basic {base64.b64encode(b'me:read-token').decode()}"}
    wrong = {"authorization": f"Basic {base64.b64encode(b'me:ingest-token').decode()}"}
    event = {"authorization": f"Basic {base64.b64encode(b'me:ingest-token').decode()}"}
    async with client_of(guarded(tmp_path)) as http:
        assert "Basic" in (await http.get("/")).headers["www-authenticate"]
        assert (await http.get("/", headers=basic)).status_code == 200
        assert (await http.get("/", headers=wrong)).status_code == 403
        assert (await http.post("/events/timeout", json=EVENT, headers=event)).status_code == 401


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
async def test_health_needs_no_token(tmp_path: Path, path: str) -> None:
    """Whoever restarts the exporter has no token, and a wrong one does no harm."""
    async with client_of(guarded(tmp_path)) as http:
        assert (await http.get(path)).status_code == 200
        assert (await http.get(path, headers=bearer("wrong"))).status_code == 200


async def test_a_refused_request_is_not_read(tmp_path: Path) -> None:
    """401 comes before a byte of the body is asked for, and before its encoding is looked at."""
    asked = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal asked
        asked += 1
        yield b"not json"

    async with client_of(guarded(tmp_path)) as http:
        answer = await http.post("/events", content=body(), headers={"content-encoding": "nonsense"})
        assert (answer.status_code, asked) == (401, 0)
        assert (await http.get("/metrics/summary?last=nonsense")).status_code == 401


async def test_lines_of_several_tokens_and_producers(tmp_path: Path) -> None:
    """Each line is a token; the producer's name before one is no token."""
    path = file_of(tmp_path, "first\n\n  fleet-a second  \r\n")
    async with client_of(app_with(ingest_token_file=path)) as http:
        for token, status in (
            ("first", 202),
            ("second", 202),
            ("fleet-a", 401),
            ("fleet-a second", 401),
            ("third", 401),
        ):
            answer = await http.post("/events", json=envelope_of("fleet-a"), headers=bearer(token))
            assert answer.status_code == status, token


async def test_a_producers_token_sends_its_envelopes_only(tmp_path: Path) -> None:
    """Another producer's envelope is 403 and counts nothing; the own one is counted."""
    app = app_with(ingest_token_file=file_of(tmp_path, "fleet-a second\nfleet-b third\nany"))
    async with client_of(app) as http:
        refused = await http.post("/events", json=envelope_of("fleet-b"), headers=bearer("second"))
        assert (refused.status_code, refused.json()["error"], refused.json()["field"]) == (403, "forbidden", "producer")
        assert total(collector_of(app), "eddie_events_accepted_total") == 0
        assert value(collector_of(app), "eddie_events_rejected_total", reason="forbidden") == 1
        for token, producer in (("second", "fleet-a"), ("third", "fleet-b"), ("any", "fleet-c")):
            answer = await http.post("/events", json=envelope_of(producer), headers=bearer(token))
            assert (answer.status_code, answer.json()["accepted"]) == (202, 1)


@pytest.mark.parametrize(
    ("path", "content", "content_type"),
    [
        ("/events/timeout", json.dumps(EVENT), "application/json"),
        ("/events/timeout", "not looked at", "application/json"),
        ("/events", json.dumps([{"kind": "timeout", **EVENT}]), "application/json"),
        ("/events", json.dumps({"kind": "timeout", **EVENT}), "application/x-ndjson"),
    ],
)
async def test_a_producers_token_sends_no_bare_events(
    tmp_path: Path, path: str, content: str, content_type: str
) -> None:
    """Bare events say nothing of a producer, so such a token is no good for them; the answer says which is."""
    app = app_with(ingest_token_file=file_of(tmp_path, "fleet-a second"))
    async with client_of(app) as http:
        sent = {**bearer("second"), "content-type": content_type}
        refused = await http.post(path, content=content, headers=sent)
    assert (refused.status_code, refused.json()["error"]) == (403, "forbidden")
    assert "envelope" in refused.json()["expected"]
    assert total(collector_of(app), "eddie_events_accepted_total") == 0


def test_one_token_of_two_producers_is_a_mistake(tmp_path: Path) -> None:
    """Whose it is must be one answer; the sentence names the line and no token. The same line twice does no harm."""
    with pytest.raises(TokenFileError, match="line 2") as error:
        app_with(ingest_token_file=file_of(tmp_path, "fleet-a secret\nfleet-b secret"))
    assert "secret" not in str(error.value)
    app_with(ingest_token_file=file_of(tmp_path, "fleet-a secret\nfleet-a secret"))


async def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    """A new token counts from the next request on, and the old one no more."""
    path = file_of(tmp_path, "old")
    async with client_of(app_with(ingest_token_file=path)) as http:
        assert (await http.post("/events/timeout", json=EVENT, headers=bearer("old"))).status_code == 202
        file_of(tmp_path, "new")
        assert (await http.post("/events/timeout", json=EVENT, headers=bearer("old"))).status_code == 401
        assert (await http.post("/events/timeout", json=EVENT, headers=bearer("new"))).status_code == 202


@pytest.mark.parametrize("text", [None, "", " \n\n", "a b c\n"])
async def test_a_file_that_breaks_later_closes_its_door(tmp_path: Path, text: str | None) -> None:
    """Gone, emptied or spoilt, the file lets nobody in: 503, not ready, until it is mended."""
    path = file_of(tmp_path, "token")
    async with client_of(app_with(ingest_token_file=path)) as http:
        path.unlink() if text is None else file_of(tmp_path, text)
        closed = await http.post("/events/timeout", json=EVENT, headers=bearer("token"))
        assert (closed.status_code, closed.json()["error"]) == (503, "unavailable")
        assert int(closed.headers["retry-after"]) > 0
        assert (await http.get("/health/ready")).status_code == 503
        file_of(tmp_path, "token")
        assert (await http.get("/health/ready")).status_code == 200
        assert (await http.post("/events/timeout", json=EVENT, headers=bearer("token"))).status_code == 202


@pytest.mark.parametrize("text", [None, "", "\n \n", "one two three", "\x00" * 2**21])
def test_a_bad_file_stops_the_start(tmp_path: Path, text: str | None) -> None:
    """Missing, empty or spoilt at the start is an error that names setting and file, and no token."""
    path = tmp_path / "missing" if text is None else file_of(tmp_path, text)
    with pytest.raises(TokenFileError) as error:
        app_with(ingest_token_file=path)
    assert "EDDIE_INGEST_TOKEN_FILE" in str(error.value)
    assert str(path) in str(error.value)
    assert "two" not in str(error.value)


def test_all_bad_files_are_named_together(tmp_path: Path) -> None:
    """Two mistakes are two sentences, so that a person mends both at once."""
    with pytest.raises(TokenFileError) as error:
        app_with(
            ingest_token_file=tmp_path / "a", read_token_file=tmp_path, alerts_token_file=file_of(tmp_path, "good")
        )
    assert [mistake.split("=")[0] for mistake in error.value.mistakes] == [
        "EDDIE_INGEST_TOKEN_FILE",
        "EDDIE_READ_TOKEN_FILE",
    ]


async def test_no_file_asks_no_token() -> None:
    """Without settings every door is open, and a token that nobody asked for does no harm."""
    async with client_of(app_with()) as http:
        assert (await http.post("/events/timeout", json=EVENT, headers=bearer("any"))).status_code == 202
        assert (await http.get("/metrics")).status_code == 200
