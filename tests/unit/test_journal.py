"""Station journal: an answer 202 means on disk, and never counted twice, whatever happens to process or disk."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.collectors import START, Clock
from tests.support.stores import Kept, envelope, event, timeout

from eddie_exporter import fold
from eddie_exporter.answers import RefusalError
from eddie_exporter.errors import DiskFullError, StoreBusyError, StoreDataError, StoreIOError
from eddie_exporter.journal import Journal
from eddie_exporter.opening import NAME, move_aside
from eddie_metrics.events import Event
from eddie_metrics.ids import uuid7


@pytest.fixture
def clock() -> Clock:
    """Answer a clock that stands."""
    return Clock()


@pytest.fixture
def kept(tmp_path: Path, clock: Clock) -> Iterator[Kept]:
    """Give a store of its own."""
    made = Kept(tmp_path, clock)
    yield made
    made.killed()


def refused(kept: Kept, *events: Event, **rest: object) -> RefusalError:
    """Submit what is to be refused, and answer the refusal."""
    before = kept.shown()
    with pytest.raises(RefusalError) as raised:
        kept.submit(events, **rest)
    assert kept.shown() == before, "expected a refusal to move nothing"
    return raised.value


def test_what_was_answered_is_there_after_a_kill(kept: Kept) -> None:
    """Totals, creation times, gauges and work in flight come back as they were."""
    kept.submit([timeout(), event("agent-hello", agent_id="a2", language="python", version="3")])
    kept.submit([event("task-started", task_id="t", agent_id="a1", stage="plan")])
    kept.submit([event("docker-resource-allocation", container_id="box", cpu_limit=2)])
    before = kept.shown()
    kept.clock.now += 100
    again = kept.again()
    assert again.shown() == before
    again.killed()


def test_what_was_never_committed_is_not_shown(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scrape that falls between counting and commit sees what was before."""
    kept.submit([timeout()])
    seen = []
    commit = Journal.commit

    def looks(self: Journal, *args: object) -> None:
        seen.append(kept.total("timeout_events_total"))
        commit(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Journal, "commit", looks)
    kept.submit([timeout()])
    assert (seen, kept.total("timeout_events_total")) == ([1], 2)


KINDS = st.one_of(
    st.builds(timeout, st.sampled_from("abc"), st.sampled_from(["x", 'y"\\', "ünï"])),
    st.builds(
        lambda chunk, agent: event("chunk-started", chunk_id=chunk, agent_id=agent),
        st.sampled_from("123"),
        st.sampled_from("ab"),
    ),
    st.builds(
        lambda chunk, agent, seconds: event("chunk-execution", chunk_id=chunk, agent_id=agent, seconds=seconds),
        st.sampled_from("123"),
        st.sampled_from("ab"),
        st.floats(0, 31_536_000),
    ),
    st.builds(
        lambda task, agent: event("task-started", task_id=task, agent_id=agent, stage="s", lease_seconds=60),
        st.sampled_from("12"),
        st.sampled_from("ab"),
    ),
    st.builds(
        lambda task, cost: event(
            "task-finished", task_id=task, agent_id="a", stage="s", seconds=1, outcome="success", cost_usd=cost
        ),
        st.sampled_from("12"),
        st.floats(0, 1e6),
    ),
    st.builds(lambda task: event("task-split", task_id=task, chunks=3), st.sampled_from("12")),
    st.builds(
        lambda box, cpu: event("docker-resource-allocation", container_id=box, cpu_limit=cpu),
        st.sampled_from("xy"),
        st.sampled_from([0, 1, 2.5]),
    ),
    st.builds(lambda agent: event("agent-hello", agent_id=agent, version="1", stages=["s"]), st.sampled_from("abd")),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.lists(KINDS, max_size=6), st.sampled_from([0, 20, 70, 2000]), st.booleans()), max_size=8))
def test_live_state_is_restored_state(
    tmp_path_factory: pytest.TempPathFactory, story: list[tuple[list[Event], int, bool]]
) -> None:
    """An exporter that is killed again and again shows the same as one that never was."""
    clock = Clock()
    steady = Kept(tmp_path_factory.mktemp("steady"), clock)
    shaken = Kept(tmp_path_factory.mktemp("shaken"), clock)
    for events, wait, kill in story:
        for one in (steady, shaken):
            one.submit(events)
            one.tick()
        clock.now += wait
        if kill:
            shaken = shaken.again()
        for one in (steady, shaken):
            one.tick()
    lines = [{line for line in one.shown() if "eddie_store_info" not in line} for one in (steady, shaken)]
    assert lines[0] == lines[1]
    steady.killed()
    shaken.killed()


# Identity


def test_a_batch_that_is_sent_again_is_a_duplicate(kept: Kept) -> None:
    """The answer says so, and nothing is counted twice, also after a kill."""
    assert kept.submit([timeout()], envelope=envelope(1)).accepted == 1
    again = kept.again()
    taken = again.submit([timeout()], envelope=envelope(1))
    assert (taken.accepted, taken.duplicates) == (0, 1)
    assert again.total("timeout_events_total") == 1
    assert again.total("eddie_events_duplicate_total") == 1
    again.killed()


def test_the_same_identity_with_other_content_is_a_conflict(kept: Kept) -> None:
    """A sender that seals twice hears of it, and nothing is counted."""
    kept.submit([timeout()], envelope=envelope(1, content=b"one"))
    assert refused(kept, timeout(), envelope=envelope(1, content=b"two")).error == "conflict"


def test_a_gap_is_refused_until_the_sender_says_that_it_cannot_fill_it(kept: Kept) -> None:
    """The answer names the seq that is expected; what cannot be filled is applied and counted as lost."""
    refusal = refused(kept, timeout(), envelope=envelope(4))
    assert (refusal.status, refusal.error, refusal.extra) == (409, "gap", {"expected": 1})
    assert refused(kept, timeout(), envelope=envelope(4, oldest=3)).error == "gap"
    assert kept.submit([timeout()], envelope=envelope(4, oldest=4)).accepted == 1
    assert kept.total("eddie_lost_batches_total") == 3
    assert refused(kept, timeout(), envelope=envelope(6)).extra == {"expected": 5}


def test_older_batches_of_an_epoch_are_duplicates_and_other_epochs_are_their_own(kept: Kept) -> None:
    """Each epoch counts from one."""
    for seq in (1, 2, 3):
        kept.submit([timeout()], envelope=envelope(seq))
    assert kept.submit([timeout()], envelope=envelope(1)).duplicates == 1
    assert kept.submit([timeout()], envelope=envelope(1, epoch=2)).accepted == 1
    assert kept.submit([timeout()], envelope=envelope(1, producer="q")).accepted == 1


def test_the_newest_epochs_are_remembered_and_an_older_one_has_expired(kept: Kept) -> None:
    """Sixty-four are; an epoch that fell out is refused, one inside is still known."""
    for epoch in range(2, 67):
        kept.submit([timeout()], envelope=envelope(1, epoch=epoch))
    assert refused(kept, timeout(), envelope=envelope(1, epoch=2)).error == "expired"
    assert refused(kept, timeout(), envelope=envelope(1, epoch=1)).error == "expired"
    assert kept.submit([timeout()], envelope=envelope(1, epoch=3)).duplicates == 1


def test_an_idle_producer_is_forgotten_after_thirty_days(kept: Kept) -> None:
    """Until then a retry is a duplicate; afterwards the promise has ended, as the docs say."""
    kept.submit([timeout()], envelope=envelope(1))
    kept.clock.now += 29 * 86_400
    kept.tick()
    assert kept.submit([timeout()], envelope=envelope(1)).duplicates == 1
    kept.clock.now += 31 * 86_400
    kept.tick()
    assert kept.submit([timeout()], envelope=envelope(1)).accepted == 1


def test_drops_are_counted_once_with_their_batch(kept: Kept) -> None:
    """Also in a batch without events, and not again with its retry."""
    for _ in range(2):
        kept.submit([], envelope=envelope(1, dropped={"full": 7}))
    assert kept.total("eddie_client_dropped_events_total", producer="p", reason="full") == 7


# Ids


def test_a_bare_event_with_an_id_counts_once(kept: Kept) -> None:
    """Twice in a batch, again later, and again after a kill."""
    one = timeout(id=uuid7(int(START * 1000)))
    taken = kept.submit([one, one, timeout()])
    assert (taken.accepted, taken.duplicates) == (2, 1)
    again = kept.again()
    assert again.submit([one]).duplicates == 1
    assert again.total("timeout_events_total") == 2
    again.killed()


def test_an_id_outside_the_window_is_refused_whole(kept: Kept) -> None:
    """Too old and too far ahead have their own words, name the event, and count nothing of the batch."""
    old, ahead = (timeout(id=uuid7(int((START + shift) * 1000))) for shift in (-86_401, 7201))
    refusal = refused(kept, timeout(), old)
    assert (refusal.status, refusal.error, refusal.extra) == (422, "id-old", {"index": 1, "field": "id"})
    assert refused(kept, ahead).error == "id-future"
    inside = [timeout(id=uuid7(int((START + shift) * 1000))) for shift in (-86_399, 7199)]
    assert kept.submit(inside).accepted == 2


def test_ids_are_forgotten_by_age_and_by_number_and_the_window_says_so(tmp_path: Path, clock: Clock) -> None:
    """A forgotten id is below the mark, so that it is refused and never counted twice."""
    kept = Kept(tmp_path, clock)
    assert kept.journal is not None
    kept.journal._most_ids = 100
    events = [timeout(id=uuid7(int((START - 1000 + number) * 1000))) for number in range(200)]
    kept.submit(events)
    kept.tick()
    assert kept.total("eddie_dedup_window_seconds") < 1000
    assert refused(kept, events[0]).error == "id-old"
    assert kept.submit(events[-1:]).duplicates == 1
    clock.now += 2 * 86_400
    kept.tick()
    assert kept.journal._db.execute("SELECT count(*) FROM ids").fetchone() == (0,)
    kept.killed()


def test_a_clock_that_was_ahead_and_came_back_refuses_nobody_and_counts_nothing_twice(kept: Kept) -> None:
    """Ten days ahead for a moment: ids of now are taken afterwards; what was forgotten meanwhile stays refused."""
    before, after = (timeout(id=uuid7(int((START + shift) * 1000))) for shift in (0, 60))
    kept.submit([before])
    kept.clock.now += 10 * 86_400
    kept.tick()
    kept.submit([timeout()])
    kept.clock.now = START + 60
    again = kept.again()
    assert refused(again, before).error == "id-old"
    assert again.submit([after]).accepted == 1
    assert again.submit([after]).duplicates == 1
    again.killed()


def test_an_id_in_an_envelope_is_no_identity(kept: Kept) -> None:
    """The envelope's own decides; an old id in it is kept for the history only."""
    assert kept.submit([timeout(id=uuid7(0))], envelope=envelope(1)).accepted == 1


# Retirement


def test_a_silent_agents_counters_leave_and_their_sums_stay(kept: Kept) -> None:
    """Exposition + retired = acknowledged; who returns begins at zero with a creation time of its own."""
    kept.submit([timeout("old"), event("chunk-execution", agent_id="old", seconds=2.5)])
    kept.clock.now += 20 * 86_400
    kept.submit([timeout("new")])
    kept.clock.now += 11 * 86_400
    kept.tick()
    assert kept.total("timeout_events_total", agent_id="old") == 0
    assert kept.total("timeout_events_total", agent_id="new") == 1
    again = kept.again()
    retired = again.collector.snapshot().retired
    assert (retired["timeout_events_total"], retired["chunk_execution_seconds_sum"]) == (1, 2.5)
    again.submit([timeout("old")])
    assert again.total("timeout_events_total", agent_id="old") == 1
    assert again.total("timeout_events_created", agent_id="old") == again.clock.now - 30
    again.killed()


def test_a_family_that_grows_full_lets_the_longest_silent_go_and_nobody_who_is_there(kept: Kept) -> None:
    """A month of one-use names: what is kept levels off, and today's agents are all visible."""
    small = kept.again(max_agents=100)
    for number in range(3000):
        small.submit([timeout(f"agent-{number}")])
        small.clock.now += 120
        small.tick()
    shown = [line for line in small.shown() if line.startswith("timeout_events_total")]
    assert 10 < len(shown) <= 100
    assert small.total("timeout_events_total", agent_id="__overflow__") == 0
    assert all(small.total("timeout_events_total", agent_id=f"agent-{number}") == 1 for number in range(2990, 3000))
    retired = small.collector.snapshot().retired["timeout_events_total"]
    assert retired + small.total("timeout_events_total") == 3000
    assert small.journal is not None
    assert small.journal._db.execute("SELECT count(*) FROM series WHERE family = 'timeout_events_total'").fetchone()[
        0
    ] == len(shown)
    small.killed()


# The disk


def test_a_second_exporter_on_the_same_store_is_refused(kept: Kept) -> None:
    """The first is unharmed."""
    with pytest.raises(StoreBusyError, match="another exporter"):
        Kept(kept.settings.data_dir or Path(), kept.clock)
    assert kept.submit([timeout()]).accepted == 1


def test_a_full_disk_takes_nothing_and_loses_nothing(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """507, scrapes go on, and it is exact when there is room again."""
    kept.submit([timeout()])
    commit, room = Journal.commit, Journal.has_room

    def full(*_: object) -> None:
        raise DiskFullError("no room")

    monkeypatch.setattr(Journal, "commit", full)
    monkeypatch.setattr(Journal, "has_room", lambda _: False)
    assert refused(kept, timeout()).status == 507
    assert kept.writer.ready() == "the store's disk is full"
    kept.tick()
    assert (kept.total("timeout_events_total"), kept.total("eddie_ready")) == (1, 0)
    monkeypatch.setattr(Journal, "commit", commit)
    monkeypatch.setattr(Journal, "has_room", room)
    kept.tick()
    kept.submit([timeout()])
    assert (kept.total("timeout_events_total"), kept.total("eddie_ready")) == (2, 1)


def test_a_disk_that_is_full_beside_the_store_is_waited_for_too(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """How far the store has come is written beside it: no room for that ends no process either."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        kept.submit([timeout()])
        kept.tick()
    assert (kept.failures, kept.writer.ready()) == ([], "the store's disk is full")
    kept.tick()
    kept.submit([timeout()])
    assert kept.total("timeout_events_total") == 2


def test_a_failing_disk_ends_the_process(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was answered stays true on the disk; from here on nothing is taken, and whoever runs it is told."""

    def fails(*_: object) -> None:
        raise StoreIOError("input/output error")

    monkeypatch.setattr(Journal, "commit", fails)
    assert refused(kept, timeout()).status == 503
    assert [type(error) for error in kept.failures] == [StoreIOError]
    assert refused(kept, timeout()).error == "unavailable"


def test_a_mistake_in_one_batch_costs_no_other(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception nobody foresaw takes its own batch back, whole."""
    move = fold.apply

    def fails(state: object, events: list[Event], sent: float | None = None) -> None:
        move(state, events, sent)  # type: ignore[arg-type]
        if any(getattr(one, "agent_id", "") == "poison" for one in events):
            raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(fold, "apply", fails)
    kept.submit([timeout()])
    with pytest.raises(RuntimeError):
        kept.submit([timeout("poison")])
    kept.submit([timeout()])
    assert kept.total("timeout_events_total") == 2


def test_a_store_that_is_taken_away_is_noticed(kept: Kept) -> None:
    """What is written to a deleted file would be gone with the process."""
    kept.submit([timeout()])
    assert kept.journal is not None
    kept.journal.path.unlink()
    kept.tick()
    assert "deleted or replaced" in str(kept.failures[0])


def test_a_log_that_is_taken_away_is_noticed_before_anything_is_lost(kept: Kept) -> None:
    """The process ends, and writes what it holds open back into the store as it does."""
    kept.submit([timeout()])
    assert kept.journal is not None
    kept.journal.path.with_name(f"{NAME}-wal").unlink()
    kept.submit([timeout()])
    kept.tick()
    assert "deleted or replaced" in str(kept.failures[0])
    again = kept.again()
    assert again.total("timeout_events_total") == 2
    again.killed()


def test_the_store_is_this_process_alone_and_nothing_of_it_is_mapped(kept: Kept, tmp_path: Path) -> None:
    """A mapped index ends the process on a full disk; another program cannot hold the log back by reading."""
    kept.submit([timeout()])
    assert sorted(path.name for path in tmp_path.glob(f"{NAME}*")) == [NAME, f"{NAME}-wal"]
    with (
        contextlib.closing(sqlite3.connect(tmp_path / NAME, timeout=0)) as other,
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        other.execute("SELECT count(*) FROM series")
    kept.killed()


def test_a_store_that_was_begun_and_never_used_is_begun_again(tmp_path: Path, clock: Clock) -> None:
    """Killed, or out of room, in the middle of the first start: the next start needs nobody's help."""
    db = sqlite3.connect(tmp_path / NAME)
    db.execute("PRAGMA journal_mode=WAL")
    db.close()
    assert (tmp_path / NAME).stat().st_size > 0
    kept = Kept(tmp_path, clock)
    assert kept.submit([timeout()]).accepted == 1
    kept.killed()


def test_an_older_copy_of_the_store_is_another_incarnation(kept: Kept, tmp_path: Path) -> None:
    """What was counted since is gone from it, so it gets a new name, which an alert sees; a restart does not."""
    kept.submit([timeout()])
    kept.tick()
    same = kept.again()
    assert same.journal is not None
    name = same.journal.incarnation
    same.killed()
    copy = (tmp_path / NAME).read_bytes()
    later = Kept(tmp_path, kept.clock)
    later.submit([timeout()])
    later.tick()
    later.killed()
    for file in tmp_path.glob(f"{NAME}*"):
        file.unlink()
    (tmp_path / NAME).write_bytes(copy)
    restored = Kept(tmp_path, kept.clock)
    assert restored.journal is not None
    assert kept.journal is not None
    assert (kept.journal.incarnation, restored.journal.incarnation != name) == (name, True)
    assert restored.total("timeout_events_total") == 1
    restored.tick()
    again = restored.again()
    assert again.journal is not None
    assert again.journal.incarnation == restored.journal.incarnation
    again.killed()


def test_a_store_of_other_buckets_is_refused_once_something_is_stored(tmp_path: Path, clock: Clock) -> None:
    """Before the first event they are a setting."""
    Kept(tmp_path / "new", clock).killed()
    Kept(tmp_path, clock).again().killed()
    used = Kept(tmp_path, clock)
    used.submit([event("chunk-execution", agent_id="a", seconds=1)])
    with pytest.raises(StoreDataError, match="set that again"):
        used.again(buckets="1 2 3")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("PRAGMA user_version = 99", "newer exporter"),
        ("PRAGMA application_id = 7", "another database"),
        ("UPDATE series SET value = value + 1 WHERE family = 'timeout_events_total'", "checksum"),
        ("UPDATE meta SET value = 'x' WHERE key = 'incarnation'", "checksum"),
        ("DROP TABLE epochs", "epochs"),
    ],
)
def test_a_harmed_store_is_refused_with_a_way_out(kept: Kept, harm: str, said: str) -> None:
    """A newer one, a foreign one and a changed number: never a silent zero."""
    kept.submit([timeout()])
    kept.killed()
    with sqlite3.connect(kept.settings.data_dir / NAME) as db:  # type: ignore[operator]
        db.execute(harm)
    db.close()
    with pytest.raises(StoreDataError, match=said) as raised:
        Kept(kept.settings.data_dir or Path(), kept.clock)
    assert "--start-fresh" in str(raised.value)


def test_a_flipped_page_is_refused(kept: Kept) -> None:
    """Bytes that changed on the disk are noticed at the start."""
    kept.submit([timeout(f"a{number}") for number in range(500)])
    kept.killed()
    path = (kept.settings.data_dir or Path()) / NAME
    Kept(path.parent, kept.clock).killed()  # writes the log back
    data = bytearray(path.read_bytes())
    place = data.index(b'["a77","deadline"]')
    data[place + 3] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreDataError):
        Kept(path.parent, kept.clock)


def test_moving_a_store_aside_deletes_nothing(kept: Kept, tmp_path: Path) -> None:
    """The copy opens as it is, and the next start is another incarnation at zero."""
    kept.submit([timeout()])
    kept.killed()
    [moved] = [path for path in move_aside(tmp_path) if path.suffix == "" or "aside" in path.name][:1]
    with sqlite3.connect(moved) as db:
        assert db.execute("SELECT count(*) FROM series WHERE family = 'timeout_events_total'").fetchone() == (1,)
    db.close()
    fresh = Kept(tmp_path, kept.clock)
    assert fresh.total("timeout_events_total") == 0
    names = [{line for line in one.shown() if line.startswith("eddie_store_info{")} for one in (kept, fresh)]
    assert names[0].isdisjoint(names[1])
    fresh.killed()


def test_totals_past_sixty_four_bits_are_kept(kept: Kept) -> None:
    """A sum has no end that an agent could bring it to."""
    for _ in range(40):
        kept.submit([event("chunk-execution", agent_id="a", seconds=31_536_000)] * 10_000)
    total = kept.total("chunk_execution_seconds_sum")
    again = kept.again()
    assert (total > 2**63 / 1e6, again.total("chunk_execution_seconds_sum")) == (True, total)
    again.killed()
