"""The short way of a timeout that was told before: whoever looks cannot tell it from the long one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.collectors import Clock, collector_at, total, value

from eddie_exporter import decode, repeats
from eddie_exporter.errors import ContractError
from eddie_exporter.exposition import OPENMETRICS, render
from eddie_exporter.metrics import MetricsCollector
from eddie_exporter.settings import Settings

AGENTS = ["a1", "a2", "a3", "a4", "__overflow__", ""]
REASONS = ["deadline", "stalled", "__overflow__"]
# Below what is settable, so that a few steps are enough to meet every bound.
SMALL = Settings().model_copy(
    update={"max_agents": 3, "gauge_ttl_seconds": 60.0, "retire_after": 86_400.0, "history_events": 7}
)


class Pair:
    """Two collectors that hear the same: one may take the short way, the other is made to take the long one."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.short = MetricsCollector(SMALL, clock=self.clock)
        self.long = MetricsCollector(SMALL, clock=self.clock)

    def timeout(self, agent_id: str, reason: str) -> None:
        """Tell a timeout; both count it, or both refuse it."""

        def whole() -> None:
            self.long.apply([decode.build("timeout", {"agent_id": agent_id, "reason": reason})])

        refused = [_refuses(whole), _refuses(lambda: self.short.record_timeout(agent_id=agent_id, reason=reason))]
        assert refused[0] == refused[1]

    def both(self, tell: Callable[[MetricsCollector], object]) -> None:
        """Do the same to both."""
        tell(self.short)
        tell(self.long)

    def agree(self) -> None:
        """Compare everything that can be seen; only what calls cost may differ, not how many there were."""
        assert _seen(self.short) == _seen(self.long)
        assert self.short.snapshot().events == self.long.snapshot().events


def _refuses(tell: Callable[[], object]) -> bool:
    try:
        tell()
    except ContractError:
        return True
    return False


def _seen(collector: MetricsCollector) -> list[bytes]:
    body = render(collector, OPENMETRICS)
    return [line for line in body.splitlines() if not line.startswith(b"eddie_collection_seconds_sum")]


steps = st.one_of(
    st.tuples(st.just("timeout"), st.sampled_from(AGENTS), st.sampled_from(REASONS)),
    st.tuples(st.just("timeout"), st.just("a1"), st.just("deadline")),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.5, 20.0, 61.0, 90_000.0, -100.0])),
    st.tuples(st.sampled_from(["hello", "start", "end", "tidy", "look", "staged"]), st.sampled_from(AGENTS[:4])),
)


@settings(max_examples=150, deadline=None)
@given(told=st.lists(steps, max_size=40))
def test_the_short_way_moves_what_the_long_one_moves(told: list[tuple[Any, ...]]) -> None:
    """Totals, births, presence, history, overflow and refusals are the same, whatever came before and between."""
    pair = Pair()
    for what, *rest in told:
        if what == "timeout":
            pair.timeout(*rest)
        elif what == "wait":
            pair.clock.now += rest[0]
        elif what == "look":
            pair.agree()
        else:
            pair.both(lambda one, what=what, agent=rest[0]: _tell(one, what, agent))  # type: ignore[misc]
    pair.agree()


def _tell(collector: MetricsCollector, what: str, agent: str) -> None:
    if what == "hello":
        collector.record_agent_hello(agent_id=agent, reasons=["deadline"], language="python")
    elif what == "start":
        collector.record_chunk_started(chunk_id="c1", agent_id=agent)
    elif what == "end":
        collector.record_chunk_execution(chunk_id="c1", agent_id=agent, seconds=3)
    elif what == "staged":
        collector.record_timeout(agent_id=agent, reason="deadline", stage="plan", ts=5.0)
    else:
        collector.tidy()


def test_each_timeout_without_a_place_overflows_once() -> None:
    """Three of an agent past the limit, noted between two looks, are three that found no place."""
    pair = Pair()
    for agent in AGENTS[:3]:
        pair.timeout(agent, "deadline")
    for _ in range(4):
        pair.timeout("a4", "deadline")
    pair.agree()
    assert value(pair.short, "eddie_series_overflow_total", family="timeout_events_total") == 4


def test_a_short_way_that_forgets_something_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison sees an agent that was not heard when its timeout came the short way."""
    pair = Pair()
    settle = repeats.Repeats.settle

    def deaf(self: repeats.Repeats, state: Any, history: Any) -> int:
        monkeypatch.setattr(state.fleet, "hear_agent", lambda *_: None)
        try:
            return settle(self, state, history)
        finally:
            monkeypatch.delattr(state.fleet, "hear_agent")

    monkeypatch.setattr(repeats.Repeats, "settle", deaf)
    pair.both(lambda one: one.record_agent_hello(agent_id="a1"))
    pair.timeout("a1", "deadline")
    pair.clock.now += 40
    pair.timeout("a1", "deadline")
    pair.clock.now += 40
    pair.both(lambda one: one.tidy())
    with pytest.raises(AssertionError):
        pair.agree()


def test_words_are_checked_however_often_they_come() -> None:
    """What the contract refuses is refused the second time too, and nothing of it is counted."""
    collector = collector_at(Clock())
    for _ in range(3):
        for wrong in ("", "__overflow__", 5, ["a1"], None):
            with pytest.raises(ContractError):
                collector.record_timeout(agent_id=wrong, reason="deadline")  # type: ignore[arg-type]
    assert total(collector, "timeout_events_total") == 0


def test_what_nobody_looks_at_stays_small() -> None:
    """Notes are counted every thousand at the latest, and the words that are remembered are bounded too."""
    collector = collector_at(Clock(), max_agents=20_000)
    for _ in range(5 * repeats.MOST_WAITING + 1):
        collector.record_timeout(agent_id="a1", reason="deadline")
    assert collector.state.families["timeout_events_total"].children["a1", "deadline"].value >= 4000
    for number in range(repeats.MOST_KNOWN + 10):
        collector.record_timeout(agent_id=f"a{number}", reason="deadline")
    assert value(collector, "timeout_events_total", agent_id="a1", reason="deadline") == 5 * repeats.MOST_WAITING + 2


def test_threads_lose_nothing() -> None:
    """Four threads that tell and one that looks: the total is what was told, and it never goes back."""
    collector = collector_at(Clock())
    each = 3000

    def tell() -> None:
        for _ in range(each):
            collector.record_timeout(agent_id="a1", reason="deadline")

    threads = [threading.Thread(target=tell) for _ in range(4)]
    for one in threads:
        one.start()
    seen = [0.0]
    while any(one.is_alive() for one in threads):
        seen.append(total(collector, "timeout_events_total"))
    for one in threads:
        one.join()
    assert total(collector, "timeout_events_total") == 4 * each
    assert seen == sorted(seen)


def test_a_store_that_is_read_anew_takes_nothing_from_before() -> None:
    """What was noted for a state that is gone does not move the next one."""
    collector = collector_at(Clock())
    for _ in range(3):
        collector.record_timeout(agent_id="a1", reason="deadline")
    empty: dict[str, list[Any]] = {table.name: [] for table in collector.state.tables.all()}
    collector.restore(empty, "another")  # type: ignore[arg-type]
    assert total(collector, "timeout_events_total") == 0
