"""Fault 24: no token, a wrong one, another door's, another producer's."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.chaos.process import Exporter, exporter
from tests.support.chaos.reading import scrape
from tests.support.chaos.single import sealed, timeouts

GOOD = sealed("fleet-a", 1, 1, timeouts(3)).body
BARE = json.dumps(timeouts(3)).encode()
STRANGERS = {
    "no token": (None, 401),
    "an empty one": ("Bearer ", 401),
    "a wrong one": ("Bearer wrong", 401),
    "half a token": ("Bearer of-", 401),
    "a producer's name": ("Bearer fleet-a", 401),
    "the token as a password": ("Basic OmFueQ==", 401),
    "the inbox's": ("Bearer of-the-inbox", 403),
    "another producer's": ("Bearer of-b", 403),
}


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Exporter]:
    """Answer an exporter with a token of any producer, one for each of two, and one for the inbox."""
    ingest, alerts = tmp_path / "ingest", tmp_path / "alerts"
    ingest.write_text("any\nfleet-a of-a\nfleet-b of-b\n")
    alerts.write_text("of-the-inbox\n")
    with exporter(tmp_path, EDDIE_INGEST_TOKEN_FILE=str(ingest), EDDIE_ALERTS_TOKEN_FILE=str(alerts)) as found:
        yield found


def send(one: Exporter, body: bytes, authorization: str | None, path: str = "/events") -> int:
    """Post a body with this header Authorization; answer the status."""
    headers = {} if authorization is None else {"authorization": authorization}
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", one.port, timeout=20)) as link:
        link.request("POST", path, body, headers)
        answer = link.getresponse()
        answer.read()
        return answer.status


def test_fault_24_strangers_count_nothing(one: Exporter) -> None:
    """Each is told 401 or 403, for an envelope and for bare events; every total stays where it is."""
    for who, (authorization, status) in STRANGERS.items():
        for body, path in ((GOOD, "/events"), (BARE, "/events"), (b'{"agent_id":"a","reason":"r"}', "/events/timeout")):
            assert send(one, body, authorization, path) == status, (who, path)
    seen = scrape(one.port)
    assert seen.total("eddie_events_accepted_total") == seen.total("timeout_events_total") == 0


def test_fault_24_a_strangers_body_is_not_looked_at(one: Exporter) -> None:
    """What is no JSON is 401 or 403 all the same, and the answer comes before a byte of the body was sent."""
    for who in ("no token", "a wrong one", "the inbox's"):
        authorization, status = STRANGERS[who]
        assert send(one, b"\xff not json", authorization) == status
        with socket.create_connection(("127.0.0.1", one.port), timeout=10) as link:
            said = "" if authorization is None else f"authorization: {authorization}\r\n"
            link.sendall(f"POST /events HTTP/1.1\r\nhost: x\r\n{said}content-length: 100\r\n\r\n".encode())
            assert link.recv(65_536).startswith(b"HTTP/1.1 %d " % status), who


def test_fault_24_who_is_known_is_counted(one: Exporter) -> None:
    """Negative twin: the producer's own token, and one of any producer, count."""
    assert send(one, GOOD, "Bearer of-a") == 202
    assert send(one, sealed("fleet-b", 1, 1, timeouts(2)).body, "Bearer of-b") == 202
    assert send(one, BARE, "Bearer any") == 202
    assert scrape(one.port).total("timeout_events_total") == 3 + 2 + 3


def test_fault_24_no_token_reaches_the_log(one: Exporter) -> None:
    """Neither good nor wrong tokens are written down."""
    for authorization in ("Bearer of-a", "Bearer of-b", "Bearer hunter2"):
        send(one, GOOD, authorization)
    assert not [word for word in ("of-a", "of-b", "hunter2") if word in one.said()]
