"""The demo fleet's way out: batches with ids, retries while the exporter is away, and no silent loss."""

from __future__ import annotations

import json
import time
import uuid
from itertools import pairwise
from pathlib import Path

import pytest

from eddie_exporter.decode import decode_ndjson
from fleet import sender as module
from fleet.agents import Happening
from fleet.sender import RefusedError, Sender
from fleet.web import Answer, UnreachableError, ask, is_loopback, token_from
from rig.sink import Sink

HELLO = {"kind": "agent-hello", "agent_id": "demo-a"}
AWAY = "http://127.0.0.1:9"  # the discard port: nobody listens


def happenings(count: int) -> list[Happening]:
    """Return so many happenings, a second apart."""
    return [Happening(float(number), dict(HELLO)) for number in range(count)]


def test_what_happened_arrives_with_its_time_and_an_id_of_its_own() -> None:
    """A batch is NDJSON that the contract accepts, with the token, and each event is recognisable."""
    with Sink(status=202) as sink:
        sender = Sender(sink.url, "secret", born=1_000.0)
        sender.put(happenings(3))
        sender.flush(0.0)
    (request,) = sink.requests
    assert (request.path, request.headers["content-type"]) == ("/events", "application/x-ndjson")
    assert request.headers["authorization"] == "Bearer secret"
    events = [json.loads(line) for line in request.body.splitlines()]
    assert len(decode_ndjson(request.body)) == 3
    assert [event["ts"] for event in events] == [1000.0, 1001.0, 1002.0]
    assert len({event["id"] for event in events}) == 3
    assert (sender.sent, sender.waiting, sender.lost) == (3, 0, 0)


def test_without_a_token_none_is_sent() -> None:
    """Negative twin: no token file, no header."""
    with Sink(status=202) as sink:
        sender = Sender(sink.url, None, born=0.0)
        sender.put(happenings(1))
        sender.flush(0.0)
    assert "authorization" not in sink.requests[0].headers


def test_while_the_exporter_is_away_events_wait_and_are_tried_again_after_a_pause() -> None:
    """The same events, with the same ids, arrive once it is back; nothing is lost."""
    sender = Sender(AWAY, None, born=0.0)
    sender.put(happenings(2))
    sender.flush(100.0)
    assert sender.waiting == 2
    assert sender.trouble is not None
    with Sink(status=202) as sink:
        sender.url = sink.url
        sender.flush(100.1)
        assert sink.requests == []  # the pause still runs
        sender.flush(100.0 + module.PAUSE_LEAST)
        assert len(sink.requests) == 1
    assert (sender.sent, sender.lost, sender.waiting) == (2, 0, 0)


def test_an_exporter_that_is_not_ready_says_how_long_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A 503 keeps the events; pauses double up to a bound."""
    monkeypatch.setattr(module, "PAUSE_MOST", 2.0)
    with Sink(status=503) as sink:
        sender = Sender(sink.url, None, born=0.0)
        sender.put(happenings(1))
        tries: list[float] = []
        for now in (step / 4 for step in range(40)):
            before = len(sink.requests)
            sender.flush(now)
            if len(sink.requests) > before:
                tries.append(now)
    assert [later - earlier for earlier, later in pairwise(tries)][:4] == [0.5, 1.0, 2.0, 2.0]
    assert sender.waiting == 1


def test_a_full_queue_drops_the_oldest_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue is bounded; what falls out of it is counted as lost."""
    monkeypatch.setattr(module, "QUEUE", 10)
    sender = Sender(AWAY, None, born=0.0)
    sender.put(happenings(25))
    assert (sender.waiting, sender.lost) == (10, 15)
    sender.give_up()
    assert (sender.waiting, sender.lost) == (0, 25)


def test_a_refused_batch_is_counted_as_lost_and_does_not_block_the_next() -> None:
    """A 422 would stay a 422: the batch is given up aloud."""
    with Sink(status=422, text='{"error": "invalid"}') as sink:
        sender = Sender(sink.url, None, born=0.0)
        sender.put(happenings(4))
        sender.flush(0.0)
    assert (sender.waiting, sender.lost) == (0, 4)
    assert "invalid" in (sender.trouble or "")


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_wrong_token_or_address_ends_the_fleet_with_what_to_do(status: int) -> None:
    """Trying again would not help: the error names the answer and the two options to look at."""
    with Sink(status=status) as sink:
        sender = Sender(sink.url, "wrong", born=0.0)
        sender.put(happenings(1))
        with pytest.raises(RefusedError, match=rf"(?s)answered {status}.*--token-file"):
            sender.flush(0.0)


def test_a_second_try_carries_the_same_ids() -> None:
    """The answer was lost: the same bytes again, so that the exporter knows the events and counts them once."""
    with Sink(status=503) as sink:
        sender = Sender(sink.url, None, born=time.time())
        sender.put(happenings(2))
        sender.flush(0.0)
        sink.status = 202
        sender.flush(60.0)
    first, second = sink.requests
    assert first.body == second.body
    assert all(uuid.UUID(json.loads(line)["id"]).version == 7 for line in first.body.splitlines())


def scripted(monkeypatch: pytest.MonkeyPatch, *answers: Answer) -> list[list[str]]:
    """Let the exporter answer in this order, 202 afterwards; return the ids of each request as they come."""
    left, seen = list(answers), list[list[str]]()

    def answer(_url: str, body: bytes, **_: object) -> Answer:
        seen.append([json.loads(line)["id"] for line in body.splitlines()])
        return left.pop(0) if left else Answer(202, "{}")

    monkeypatch.setattr(module, "ask", answer)
    return seen


def test_one_bad_event_costs_one_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """A 422 names it by its index: it is taken out, and the rest is sent again with the ids it had."""
    seen = scripted(monkeypatch, Answer(422, '{"error": "invalid", "index": 1}'))
    sender = Sender(AWAY, None, born=0.0)
    sender.put(happenings(3))
    sender.flush(0.0)
    assert seen[1] == [seen[0][0], seen[0][2]]
    assert (sender.sent, sender.lost, sender.waiting) == (2, 1, 0)


@pytest.mark.parametrize("said", ["no JSON", "[]", '{"index": 7}', '{"index": -1}', '{"index": true}'])
def test_a_refusal_that_names_no_event_of_the_batch_costs_the_batch(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative twin: nothing is taken out by guess, and the same batch is not sent for ever."""
    seen = scripted(monkeypatch, Answer(422, said))
    sender = Sender(AWAY, None, born=0.0)
    sender.put(happenings(3))
    sender.flush(0.0)
    assert (len(seen), sender.lost, sender.waiting) == (1, 3, 0)


def test_a_batch_that_is_too_large_goes_in_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    """A 413 halves it until it passes; nothing is lost, and the next batch is tried whole again."""
    seen = scripted(monkeypatch, Answer(413, "{}"), Answer(413, "{}"))
    sender = Sender(AWAY, None, born=0.0)
    sender.put(happenings(8))
    sender.flush(0.0)
    assert [len(ids) for ids in seen] == [8, 4, 2, 6]
    assert (sender.sent, sender.lost) == (8, 0)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_no_proxy_gets_between_the_fleet_and_this_machine(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a dead proxy in the environment the exporter on loopback still answers."""
    monkeypatch.setenv(variable, AWAY)
    with Sink() as sink:
        assert ask(sink.url, b"x").status == 200


def test_elsewhere_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative twin: for another machine the (dead) proxy is asked, and the error says that nobody answered."""
    monkeypatch.setenv("http_proxy", AWAY)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(UnreachableError, match="no answer from http://elsewhere"):
        ask("http://elsewhere.invalid/")


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("http://127.0.0.1:8503", True),
        ("http://127.3.2.1", True),
        ("http://localhost:1", True),
        ("http://[::1]:1", True),
        ("http://exporter:8503", False),
        ("http://10.0.0.1", False),
        ("http://localhost.example", False),
    ],
)
def test_loopback_is_known_by_its_address(url: str, answer: bool) -> None:
    """What is this machine, and what only looks like it."""
    assert is_loopback(url) is answer


def test_a_token_is_the_last_word_of_the_first_line(tmp_path: Path) -> None:
    """Both forms of a token file's line are read; a missing file is no token, an empty one an error."""
    path = tmp_path / "ingest_token"
    assert token_from(path) is None
    path.write_text("abc\nother def\n")
    assert token_from(path) == "abc"
    path.write_text("fleet def\n")
    assert token_from(path) == "def"
    path.write_text("\n")
    with pytest.raises(ValueError, match="empty line"):
        token_from(path)
