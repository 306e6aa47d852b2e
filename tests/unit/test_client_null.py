"""A client that is off, and one that keeps events for a test: both in a real one's place."""

from __future__ import annotations

import logging

import pytest

from eddie_metrics import CapturingClient, Client, InvalidEventError, NullClient, get_client


def test_the_null_client_takes_everything_and_does_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Events good and bad, scopes, flush and close: nothing is kept, nothing is logged, nothing waits."""
    with NullClient("http://nowhere", agent_id="a1", outbox="/nowhere") as client:
        client.record_timeout(reason="deadline")
        client.record_task_split(task_id="", chunks=-1)
        with client.task("t1", stage="plan") as work:
            work.tokens(in_=1)
        assert (client.waiting, client.dropped(), list(client.rejected)) == (0, {}, [])
        assert client.flush() is True
    assert client.close() is True
    assert caplog.records == []


def test_both_pass_for_a_client() -> None:
    """An agent's annotations stay as they are, whichever of them it is given."""
    clients: list[Client] = [NullClient(), CapturingClient()]
    assert all(isinstance(client, Client) for client in clients)


def test_the_capturing_client_keeps_what_the_exporter_would_see() -> None:
    """Events in their order, by kind, with the agent's id; a time of their own only where one was told."""
    client = CapturingClient(agent_id="a1")
    client.record_timeout(reason="deadline", stage=None)
    client.record_task_split(task_id="t1", chunks=2, ts=5.5)
    client.record_fallback_depth_exceeded()
    assert client.events == [
        {"kind": "timeout", "reason": "deadline", "agent_id": "a1"},
        {"kind": "task-split", "task_id": "t1", "chunks": 2, "ts": 5.5},
        {"kind": "fallback-depth-exceeded"},
    ]
    assert client.of("task-split") == client.events[1:2]
    client.clear()
    assert client.events == client.of("timeout") == []


def test_asking_for_a_kind_that_is_none_says_which_there_are() -> None:
    """A misspelt kind is no empty list: that test would pass for ever."""
    with pytest.raises(ValueError, match="task-split"):
        CapturingClient().of("task_split")


def test_the_capturing_client_raises_what_the_client_would_drop(caplog: pytest.LogCaptureFixture) -> None:
    """The same check, another answer: the agent's own test fails where the event is recorded, and names the field."""
    client = CapturingClient()
    with pytest.raises(InvalidEventError, match=r"task-split: chunks: expected a whole number"):
        client.record_task_split(task_id="t1", chunks=0)
    with pytest.raises(InvalidEventError, match="agentid"):
        client.record_timeout(reason="r", agentid="a1")  # type: ignore[call-arg]
    assert client.events == []
    assert [error.field for error in client.invalid] == ["chunks", "agentid"]
    with Client("http://127.0.0.1:9") as real, caplog.at_level(logging.ERROR):
        real.record_task_split(task_id="t1", chunks=0)
        assert real.dropped() == {"invalid": 1}


def test_a_scope_of_the_capturing_client_raises_at_its_own_mistake() -> None:
    """A bad id is told at the beginning of the block, a bad count where it is told."""
    client = CapturingClient()
    with pytest.raises(InvalidEventError, match="task_id"), client.task("", stage="plan"):
        pytest.fail("expected the block not to begin")
    with pytest.raises(InvalidEventError, match="tokens_in"), client.task("t1", stage="plan") as work:
        work.tokens(in_=-1)


def test_it_never_hides_the_agents_own_exception() -> None:
    """Where both go wrong the agent's exception leaves the block, unchanged; the mistake is kept aside."""
    client = CapturingClient()
    own = LookupError("mine")

    @client.chunk("c1", task_id="t1")
    def work() -> None:
        client.agent_id = ""  # the end cannot be recorded
        raise own

    with pytest.raises(LookupError) as caught:
        work()
    assert caught.value is own
    assert own.__context__ is None
    assert [error.field for error in client.invalid] == ["agent_id"]


def test_an_installed_one_is_what_everybody_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside the block get_client() answers it; behind it what was there before, and that has heard nothing."""
    monkeypatch.setenv("EDDIE_DISABLED", "1")
    client = CapturingClient()
    before = get_client()
    with client.installed() as found:
        get_client().record_timeout(reason="deadline")
        assert found is client
        assert get_client() is client
    assert get_client() is before
    assert len(client.events) == 1
