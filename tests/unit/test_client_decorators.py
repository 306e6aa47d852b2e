"""A scope as a decorator: a block around each call, of functions that have one end."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from eddie_metrics import CapturingClient, current_work


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


def test_a_decorated_function_is_a_scope_a_call(client: CapturingClient) -> None:
    """Arguments, answer, name and docstring go through; each call has an id of its own, and can tell its costs."""

    @client.task("plan", stage="plan")
    def plan(goal: str, *, depth: int = 0) -> str:
        """Plan."""
        current_work().tokens(in_=len(goal))
        return goal * depth

    assert plan("ab", depth=2) == "abab"
    assert plan("c") == ""
    assert (plan.__name__, plan.__doc__) == ("plan", "Plan.")
    started, finished = client.of("task-started"), client.of("task-finished")
    ids = [event["task_id"] for event in started]
    assert len(set(ids)) == 2
    assert all(one.startswith("plan-") and len(one) == 41 for one in ids)
    assert [event["task_id"] for event in finished] == ids
    assert [event["tokens_in"] for event in finished] == [2, 1]


def test_a_callable_makes_the_id_of_the_arguments(client: CapturingClient) -> None:
    """The id an orchestrator already has is used; one that cannot be made does not keep the work from being done."""

    @client.chunk(lambda job: str(job["id"]))
    def run(job: dict[str, str]) -> int:
        return len(job)

    assert (run({"id": "c7"}), run({})) == (1, 0)
    first, second = (event["chunk_id"] for event in client.of("chunk-execution"))
    assert first == "c7"
    assert second not in {"", "c7"}


def test_a_long_name_leaves_room_for_the_id(client: CapturingClient) -> None:
    """The contract takes 128 characters."""
    client.task("x" * 500, stage="plan")(lambda: None)()
    assert len(client.of("task-started")[0]["task_id"]) == 128


async def test_a_decorated_coroutine_is_timed_until_it_is_awaited(client: CapturingClient) -> None:
    """It stays a coroutine function; its seconds are those of its awaiting, and cancelling it is told."""

    @client.task("plan", stage="plan")
    async def plan(seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "planned"

    assert asyncio.iscoroutinefunction(plan)
    waiting = plan(0.02)
    assert client.events == []
    assert await waiting == "planned"
    task = asyncio.create_task(plan(60))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ends(client) == [("success", None), ("failure", "cancelled")]
    assert client.of("task-finished")[0]["seconds"] >= 0.02


async def test_methods_may_be_decorated(client: CapturingClient) -> None:
    """On an instance, a class and a static one, below their own decorators."""

    class Agent:
        @client.task("one", stage="plan")
        def one(self) -> object:
            return self

        @classmethod
        @client.task("two", stage="plan")
        def two(cls) -> object:
            return cls

        @staticmethod
        @client.task("three", stage="plan")
        async def three() -> int:
            return 3

    agent = Agent()
    assert (agent.one(), agent.two(), await agent.three()) == (agent, Agent, 3)
    assert len(ends(client)) == 3


def generator() -> Iterator[int]:
    """Yield."""
    yield 1


async def async_generator() -> AsyncIterator[int]:
    """Yield."""
    yield 1


@pytest.mark.parametrize(
    ("decorated", "words"),
    [
        (generator, "got a generator.*`with` block inside"),
        (async_generator, "got a generator"),
        (classmethod(lambda cls: cls), "put this decorator below"),
        (LookupError, "expected a function"),
        (3, "expected a function"),
    ],
)
def test_what_has_no_one_end_is_refused_at_once(client: CapturingClient, decorated: Any, words: str) -> None:
    """When the module is imported, not when the agent is at work; and nothing is recorded."""
    with pytest.raises(TypeError, match=words):
        client.task("t1", stage="plan")(decorated)
    assert client.events == []
