"""A guard tells of a deadline that passed, once, and touches nothing."""

from __future__ import annotations

import asyncio
import contextlib
import threading

import pytest

from eddie_metrics import CapturingClient


@pytest.fixture
def client() -> CapturingClient:
    """Answer a client that keeps events and raises at what breaks the contract."""
    return CapturingClient(agent_id="a1")


def ends(client: CapturingClient, kind: str = "task-finished") -> list[tuple[str, str | None]]:
    """Answer outcome and reason of everything that ended."""
    return [(event["outcome"], event.get("reason")) for event in client.of(kind)]


def test_a_block_that_ends_is_a_success(client: CapturingClient) -> None:
    """One start, one finish with the same id and the seconds between; nothing else."""
    with client.task("t1", stage="plan", lease_seconds=60):
        assert client.events == [
            {"kind": "task-started", "task_id": "t1", "stage": "plan", "agent_id": "a1", "lease_seconds": 60}
        ]
        threading.Event().wait(0.02)
    finished = client.of("task-finished")[0]
    assert 0.02 <= finished.pop("seconds") < 5
    expected = {"kind": "task-finished", "task_id": "t1", "stage": "plan", "agent_id": "a1", "outcome": "success"}
    assert finished == expected
    assert len(client.events) == 2


def test_a_chunk_is_told_as_a_chunk(client: CapturingClient) -> None:
    """Its end is a chunk-execution, with its task and its costs; it has no reason to tell."""
    with contextlib.suppress(LookupError), client.chunk("c1", task_id="t1", agent_id="a7") as work:
        work.tokens(in_=10, out=1)
        work.tokens(in_=5)
        work.cost(0.25)
        raise LookupError
    started, ended = client.events
    assert started == {"kind": "chunk-started", "chunk_id": "c1", "task_id": "t1", "agent_id": "a7"}
    assert ended.pop("seconds") >= 0
    costs = {"tokens_in": 15, "tokens_out": 1, "cost_usd": 0.25}
    same = {"chunk_id": "c1", "task_id": "t1", "agent_id": "a7"}
    assert ended == {"kind": "chunk-execution", **same, "outcome": "failure", **costs}


class LateError(TimeoutError):
    """A timeout with a name of its own."""


def test_a_guard_tells_of_what_lasts_too_long(client: CapturingClient) -> None:
    """One timeout event, when the block is left; the block itself is not touched."""
    with client.timeout_guard("t1", stage="plan", seconds=0.01):
        threading.Event().wait(0.03)
        assert client.events == []
    expected = {"kind": "timeout", "task_id": "t1", "stage": "plan", "reason": "deadline", "agent_id": "a1"}
    assert client.events == [expected]


def test_a_guard_says_nothing_of_what_is_in_time(client: CapturingClient) -> None:
    """Neither of a block that ends, nor of one that fails for another reason."""
    with client.timeout_guard("t1", stage="plan", seconds=30):
        pass
    with contextlib.suppress(LookupError), client.timeout_guard("t1", seconds=30):
        raise LookupError
    assert client.events == []


@pytest.mark.parametrize("seconds", [None, 30, 0])
def test_a_guard_tells_of_a_timeout_error_once(client: CapturingClient, seconds: float | None) -> None:
    """With seconds or without, too late or not: one TimeoutError is one timeout."""
    error = LateError()
    with pytest.raises(LateError) as caught, client.timeout_guard(seconds=seconds, reason="slow-model"):
        raise error
    assert caught.value is error
    assert client.events == [{"kind": "timeout", "reason": "slow-model", "agent_id": "a1"}]


async def test_a_guard_decorates_and_sees_asyncios_timeout(client: CapturingClient) -> None:
    """In front of asyncio.timeout it hears of it; the task's id stays as it is, so that the two belong together."""

    @client.timeout_guard("t1", stage="plan")
    async def plan() -> None:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        await plan()
    assert [event["task_id"] for event in client.of("timeout")] == ["t1"]
