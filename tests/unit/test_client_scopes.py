"""Scopes tell of whole blocks, and stay out of the agent's way."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.collectors import Clock, collector_at, value

from eddie_metrics import CapturingClient, current_work, scopes


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


class ManyError(LookupError):
    """An exception whose name says what happened, and whose words do not."""


BAD_NAME = type("__" + "X" * 200 + "\n", (LookupError,), {})

ENDS: list[tuple[BaseException, tuple[str, str]]] = [
    (ManyError("task 17 of 4711"), ("failure", "ManyError")),
    (TimeoutError(), ("timeout", "TimeoutError")),
    (LateError(), ("timeout", "LateError")),
    (asyncio.CancelledError(), ("failure", "cancelled")),
    (KeyboardInterrupt(), ("failure", "KeyboardInterrupt")),
    (SystemExit(0), ("failure", "SystemExit")),
    (ExceptionGroup("some", [LateError(), TimeoutError()]), ("timeout", "LateError")),
    (ExceptionGroup("some", [ExceptionGroup("more", [ManyError()]), TimeoutError()]), ("failure", "ManyError")),
    (BAD_NAME(), ("failure", "X" * 126)),
]


@pytest.mark.parametrize(("error", "expected"), ENDS, ids=lambda one: type(one).__name__[:20])
def test_an_exception_gives_outcome_and_reason(error: BaseException, expected: tuple[str, str]) -> None:
    """The class names the reason, never the message; the agent gets its own exception, with nothing added."""
    client = CapturingClient()
    caught: BaseException | None = None
    try:
        with client.task("t1", stage="plan"):
            raise error  # noqa: TRY301
    except BaseException as left:  # noqa: BLE001
        caught = left
    assert caught is error
    assert (error.__context__, error.__cause__, getattr(error, "__notes__", [])) == (None, None, [])
    assert ends(client) == [expected]


def test_a_timeout_of_the_work_is_no_timeout_event(client: CapturingClient) -> None:
    """What leads to a split is told by timeout_guard alone; a task that tells it too would count it twice."""
    with contextlib.suppress(TimeoutError), client.task("t1", stage="plan"):
        raise TimeoutError
    assert client.of("timeout") == []


def test_what_the_agent_says_goes_before_what_its_exception_says(client: CapturingClient) -> None:
    """An outcome can be told without an exception, and with one it is the better word."""
    with client.task("t1", stage="plan") as work:
        work.fail("no-route")
    with client.task("t2", stage="plan") as work:
        work.timeout()
    with client.task("t3", stage="plan") as work:
        work.fail(ManyError("told by hand"))
    with contextlib.suppress(LookupError), client.task("t4", stage="plan") as work:
        work.timeout("slow-model")
        raise LookupError
    told = [("failure", "no-route"), ("timeout", "deadline"), ("failure", "ManyError"), ("timeout", "slow-model")]
    assert ends(client) == told


class Unspeakable:
    """Something whose words raise."""

    def __str__(self) -> str:
        """Raise."""
        raise RuntimeError


@pytest.mark.parametrize(
    ("reason", "told"),
    [("", "error"), ("__own", "own"), ("a\nb\x00\ud800", "a b"), ("x" * 1000, "x" * 128), (Unspeakable(), "error")],
)
def test_a_bad_reason_does_not_cost_the_event(client: CapturingClient, reason: Any, told: str) -> None:
    """Without its finish a task would be in flight until its lease ends: the reason is cut to what is allowed."""
    with client.task("t1", stage="plan") as work:
        work.fail(reason)
    assert ends(client) == [("failure", told)]


@pytest.mark.parametrize("wrong", [{"in_": -1}, {"in_": 1.5}, {"out": "3"}])
def test_a_wrong_count_does_not_cost_the_event(wrong: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """In an agent at work it is left out and logged, and the finish is told without it."""
    collector = collector_at(Clock())
    with collector.task("t1", stage="plan", agent_id="a1") as work:
        work.tokens(**wrong)
        work.cost(float("nan"))
        work.cost(-1)
    assert value(collector, "task_success_total", stage="plan") == 1
    assert not [record for record in caplog.records if "refused" in record.getMessage()]


def test_counts_past_the_bound_are_told_as_the_bound(client: CapturingClient) -> None:
    """A sum that the contract does not take would cost the whole event."""
    with client.task("t1", stage="plan") as work:
        for _ in range(3):
            work.tokens(out=10**9)
            work.cost(9e5)
    finished = client.of("task-finished")[0]
    assert (finished["tokens_out"], finished["cost_usd"]) == (10**9, 1e6)


def test_scopes_may_be_nested(client: CapturingClient) -> None:
    """Each tells of its own; an exception caught between them fails the inner one alone."""
    with client.task("t1", stage="plan") as outer:
        with contextlib.suppress(LookupError), client.chunk("c1", task_id="t1") as inner:
            assert current_work() is inner
            raise LookupError
        assert current_work() is outer
    kinds = [event["kind"] for event in client.events]
    assert kinds == ["task-started", "chunk-started", "chunk-execution", "task-finished"]
    assert (ends(client, "chunk-execution"), ends(client)) == ([("failure", None)], [("success", None)])


def test_one_scope_may_be_entered_again(client: CapturingClient) -> None:
    """Inside itself and after itself: as many finishes as starts, each with the seconds of its own."""
    scope = client.task("t1", stage="plan")
    with scope as outer:
        threading.Event().wait(0.02)
        with scope as inner:
            assert inner is not outer
            inner.fail("inner")
    with scope:
        pass
    assert ends(client) == [("failure", "inner"), ("success", None), ("success", None)]
    seconds = [event["seconds"] for event in client.of("task-finished")]
    assert seconds[1] > max(seconds[0], seconds[2])


def test_one_scope_may_be_shared_by_threads(client: CapturingClient) -> None:
    """Four threads in one scope at once: each end is of the thread that reached it."""
    scope = client.task("t1", stage="plan")
    gate = threading.Barrier(4)

    def work(number: int) -> None:
        for turn in range(50):
            with scope as one:
                gate.wait(10)
                one.fail(f"{number}-{turn}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(ends(client)) == sorted(("failure", f"{n}-{t}") for n in range(4) for t in range(50))


async def test_one_scope_may_be_shared_by_tasks(client: CapturingClient) -> None:
    """Tasks of one loop that leave in another order than they came."""
    scope = client.task("t1", stage="plan")

    async def work(number: int) -> None:
        with scope as one:
            await asyncio.sleep(0.01 * ((number * 7) % 5))
            assert current_work() is one
            one.fail(str(number))

    await asyncio.gather(*(work(number) for number in range(10)))
    assert sorted(ends(client)) == sorted(("failure", str(number)) for number in range(10))


async def test_a_scope_left_in_another_context_still_ends(client: CapturingClient) -> None:
    """A stack that one task fills and another empties; and it grows no chain behind the task that filled it."""
    for _ in range(3):
        stack = contextlib.ExitStack()
        stack.enter_context(client.task("t1", stage="plan"))
        await asyncio.create_task(asyncio.to_thread(stack.close))
    assert len(ends(client)) == 3
    current_work().fail("nobody")
    assert ends(client) == [("success", None)] * 3


def test_a_fork_inside_a_scope_tells_one_end(client: CapturingClient) -> None:
    """The parent tells it; a child that leaves the block says nothing of work it did not take up."""
    reader, writer = os.pipe()
    with client.task("t1", stage="plan"):
        child = os.fork()
    if child == 0:
        os.write(writer, str(len(ends(client))).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 10) == b"0"
    os.close(reader)
    os.close(writer)
    assert ends(client) == [("success", None)]


class Broken:
    """A recorder that raises whatever it is told."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Answer a method that raises."""
        if not name.startswith("record_"):
            raise AttributeError(name)

        def raises(**_: object) -> None:
            raise OSError(name)

        return raises


def test_a_recorder_that_raises_does_not_reach_the_agent(caplog: pytest.LogCaptureFixture) -> None:
    """The block runs, its own exception leaves it, and each kind of refusal is logged once."""
    broken: Any = Broken()
    for _ in range(3):
        with scopes.chunk(broken, "c1"), scopes.timeout_guard(broken, seconds=0):
            threading.Event().wait(0.001)
    with pytest.raises(LookupError), scopes.chunk(broken, "c1"):
        raise LookupError
    assert len(caplog.records) == 3


def test_an_embedded_collector_has_the_scopes_too() -> None:
    """The same words count where no client sends: one success, one failure with its reason, nobody left active."""
    collector = collector_at(Clock())
    with collector.task("t1", stage="plan", agent_id="a1"):
        assert value(collector, "agent_active_tasks", agent_id="a1") == 1
    with contextlib.suppress(LookupError), scopes.task(collector, "t2", stage="plan", agent_id="a1"):
        raise LookupError
    assert value(collector, "task_success_total", stage="plan") == 1
    assert value(collector, "task_failure_total", stage="plan", reason="LookupError") == 1
    assert value(collector, "agent_active_tasks", agent_id="a1") == 0


def test_outside_a_scope_there_is_work_that_says_nothing() -> None:
    """A helper that tells its tokens works in a test or a script of its own, too."""
    work = current_work()
    work.tokens(in_=1, out=-1)
    work.cost(1)
    work.fail("nobody hears this")
    assert current_work() is not work
