"""Station *event out*: what the client does with each answer of the exporter."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.eventually import eventually
from tests.support.scripted_exporter import Answer, Request, Scripted, scripted

from eddie_metrics.client import Client


@pytest.fixture
def script() -> Iterator[Scripted]:
    """Answer an exporter that takes everything, until a test writes down something else."""
    with scripted() as found:
        yield found


@pytest.fixture(params=["memory", "outbox"])
def client(request: pytest.FixtureRequest, script: Scripted, tmp_path: Path) -> Iterator[Client]:
    """Answer a client of it, once with each kind of store."""
    box = tmp_path / "outbox" if request.param == "outbox" else None
    one = Client(script.url, agent_id="agent-1", outbox=box)
    yield one
    one.close(0.5)


def refused(status: int, **said: Any) -> Answer:
    """Make an answer with a body; ``retry`` becomes its Retry-After."""
    headers = {"Retry-After": str(said.pop("retry"))} if "retry" in said else {}
    return status, said, headers


def reasons(script: Scripted) -> list[str]:
    """Answer the reasons of the events that were taken."""
    return [event["reason"] for event in script.events()]


def record(client: Client, *names: str) -> None:
    """Record a timeout for each reason."""
    for name in names:
        client.record_timeout(reason=name)


def test_what_is_recorded_arrives_once_in_order_under_its_own_number(client: Client, script: Scripted) -> None:
    """Batches are numbered 1, 2, 3 of one epoch, hold the agent's id, and tell what they must at each try."""
    record(client, "a", "b")
    assert client.flush(5)
    record(client, "c")
    assert client.flush(5)
    assert reasons(script) == ["a", "b", "c"]
    assert {event["agent_id"] for event in script.events()} == {"agent-1"}
    (producer, epoch, first), (same, again, second) = (one.identity for one in script.taken)
    assert (producer, epoch, first, second) == (same, again, 1, 2)
    assert [one.headers["eddie-oldest"] for one in script.taken] == ["1", "2"]
    assert all(float(one.headers["eddie-sent"]) > 1e9 for one in script.taken)
    assert "authorization" not in script.taken[0].headers
    assert (client.waiting, client.dropped(), list(client.rejected)) == (0, {}, [])


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 507])
def test_an_answer_that_says_later_is_answered_with_the_same_bytes(
    client: Client, script: Scripted, status: int
) -> None:
    """Nothing is taken out, renumbered or dropped."""
    script.answers = [refused(status, error="busy")]
    record(client, "a")
    assert client.flush(5)
    first, second = script.requests
    assert first.body == second.body
    assert (reasons(script), client.dropped()) == (["a"], {})


def test_retry_after_is_waited_for_even_when_somebody_flushes(client: Client, script: Scripted) -> None:
    """What the exporter asked for counts more than what the agent would like."""
    script.answers = [refused(503, error="overload", retry=30)]
    record(client, "a")
    assert not client.flush(0.3)
    assert not client.flush(0.3)
    assert len(script.requests) == 1
    assert client.waiting == 1


def test_a_refused_event_is_taken_out_and_the_rest_goes_under_the_same_number(client: Client, script: Scripted) -> None:
    """422 costs one event: it is kept in ``rejected``, told of in ``dropped``, and logged."""
    script.answers = [refused(422, error="invalid", index=1, field="reason", expected="another", got="b")]
    record(client, "a", "b", "c")
    assert client.flush(5)
    first, second = script.requests
    assert first.identity == second.identity
    assert reasons(script) == ["a", "c"]
    assert script.dropped() == client.dropped() == {"refused": 1}
    (one,) = client.rejected
    assert (one.event["reason"], one.field, one.expected, one.got) == ("b", "reason", "another", "b")


def test_refusals_of_one_reason_are_logged_once(
    client: Client, script: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    """A fleet that sends the same mistake all day does not fill its own log."""
    script.judge = _no("b")
    with caplog.at_level(logging.WARNING, "eddie_metrics"):
        record(client, "a", "b", "b", "b", "c")
        assert client.flush(5)
    assert (reasons(script), client.dropped()) == (["a", "c"], {"refused": 3})
    assert len([line for line in caplog.messages if "refuses" in line]) == 1


def _no(word: str) -> Any:
    def judge(request: Request) -> Answer | None:
        found = [place for place, event in enumerate(request.events) if event["reason"] == word]
        return refused(422, error="invalid", index=found[0], field="reason", expected="x", got=word) if found else None

    return judge


def test_a_refusal_that_names_no_event_is_looked_for_by_halves(client: Client, script: Scripted) -> None:
    """Whatever the answer lacks, one bad event costs one event."""

    def judge(request: Request) -> Answer | None:
        bad = any(event["reason"] == "b" for event in request.events)
        return refused(422, error="invalid", expected="something") if bad else None

    script.judge = judge
    record(client, *"aaabcccc")
    assert client.flush(5)
    assert (sorted(reasons(script)), client.dropped()) == (list("aaacccc"), {"refused": 1})


def test_a_batch_that_is_too_large_is_halved_under_its_number(client: Client, script: Scripted) -> None:
    """413: the first half keeps the number, the second takes the next."""
    script.judge = lambda request: refused(413, error="too-large") if len(request.events) > 2 else None
    record(client, *"abcdefg")
    assert client.flush(5)
    assert (reasons(script), client.dropped()) == (list("abcdefg"), {})
    assert [one.identity[2] for one in script.taken] == list(range(1, len(script.taken) + 1))


def test_an_event_that_no_request_can_carry_is_dropped_and_told(client: Client, script: Scripted) -> None:
    """413 for a single event ends there: it is counted as too large."""
    script.judge = lambda request: refused(413, error="too-large") if request.events else None
    record(client, "a")
    assert client.flush(5)
    assert script.dropped() == {"too-large": 1}


@pytest.mark.parametrize("status", [401, 403, 404, 405])
def test_what_a_person_has_to_mend_is_kept_and_asked_again_in_a_minute(
    client: Client, script: Scripted, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is dropped, nobody is flooded, and it is said once."""
    script.judge = lambda _: refused(status, error="no")
    with caplog.at_level(logging.WARNING, "eddie_metrics"):
        record(client, "a")
        assert not client.flush(0.4)
    assert (len(script.requests), client.waiting, client.dropped()) == (1, 1, {})
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("word", ["conflict", "expired"])
def test_a_batch_that_is_out_of_order_opens_a_new_epoch_aloud(
    client: Client, script: Scripted, word: str, caplog: pytest.LogCaptureFixture
) -> None:
    """409 conflict and expired: the events go again as batch 1 of a newer epoch."""
    script.answers = [refused(409, error=word)]
    with caplog.at_level(logging.WARNING, "eddie_metrics"):
        record(client, "a")
        assert client.flush(5)
    (_, old, _), (_, new, seq) = (one.identity for one in script.requests)
    assert new > old
    assert (seq, reasons(script)) == (1, ["a"])
    assert any(word in line for line in caplog.messages)


def test_a_gap_is_answered_with_the_oldest_batch_there_is(client: Client, script: Scripted) -> None:
    """What was acknowledged is not held: the same bytes go again, and Eddie-Oldest says that nothing older will."""
    script.answers = [refused(409, error="gap", expected=1)]
    record(client, "a")
    assert client.flush(5)
    first, second = script.requests
    assert first.body == second.body
    assert second.headers["eddie-oldest"] == str(second.identity[2])


def test_a_gap_that_stays_opens_a_new_epoch(client: Client, script: Scripted) -> None:
    """An exporter that asks for the same twice never wedges a client."""
    script.answers = [refused(409, error="gap", expected=1), refused(409, error="gap", expected=1)]
    record(client, "a")
    assert client.flush(5)
    assert len({one.identity[1] for one in script.requests}) == 2
    assert reasons(script) == ["a"]


def test_a_token_that_is_replaced_is_seen_at_the_next_try(script: Scripted, tmp_path: Path) -> None:
    """The file is read at every try; one of its own line goes before one for all."""
    token = tmp_path / "token"
    token.write_text("old\n")
    script.judge = lambda one: None if one.headers["authorization"] == "Bearer new" else refused(503, error="not yet")
    with Client(script.url, producer="agent-1", token_file=token) as client:
        record(client, "a")
        assert not client.flush(0.1)
        token.write_text("other\nagent-1 new\n")
        assert client.flush(5)
    assert reasons(script) == ["a"]


def test_something_that_is_no_exporter_takes_nothing(client: Client, script: Scripted) -> None:
    """A 202 without a count is not the exporter's: a proxy's page acknowledges no event."""
    script.answers = [(202, {"hello": "there"}, {})]
    record(client, "a")
    assert not client.flush(0.3)
    assert client.waiting == 1


def test_an_event_that_breaks_the_contract_is_dropped_told_and_never_raised(
    client: Client, script: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    """The agent goes on; the log says once for each field what was expected."""
    with caplog.at_level(logging.WARNING, "eddie_metrics"):
        for _ in range(3):
            client.record_timeout(reason="")
            client.record_task_split(task_id="t", chunks=0)
        record(client, "a")
        assert client.flush(5)
    eventually(lambda: _equal(script.dropped(), {"invalid": 6}), within=5)
    assert client.dropped() == {"invalid": 6}
    assert reasons(script) == ["a"]
    assert len(caplog.messages) == 2


def _equal(got: object, expected: object) -> None:
    assert got == expected
