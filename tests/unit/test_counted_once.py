"""Station journal: whatever is sent, sent again, left out or interrupted, an event is counted once; against a dict."""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.support.collectors import Clock
from tests.support.stores import Kept, envelope, timeout

from eddie_exporter.answers import RefusalError
from eddie_exporter.batch import Envelope, Taken
from eddie_exporter.tables import Tables
from eddie_metrics.events import Event
from eddie_metrics.ids import uuid7

PRODUCERS = st.sampled_from(["p", "q"])
SIZES = st.integers(0, 4)


class KilledError(BaseException):
    """The process ends here; no ``except Exception`` of the exporter's may see it."""


class CountedOnce(RuleBasedStateMachine):
    """The exporter's inside over a real store, and beside it what must have been counted."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = contextlib.ExitStack()
        self.clock = Clock()
        self.high: Counter[str] = Counter()
        self.sizes: dict[tuple[str, int], int] = {}
        self.counted: Counter[str] = Counter()
        self.ids: list[str] = []
        self.lost = 0
        self.seen: dict[str, float] = {}

    @initialize()
    def begin(self) -> None:
        """Begin with an empty store."""
        place = self._folder.enter_context(tempfile.TemporaryDirectory())
        self.kept = Kept(Path(place), self.clock)

    def teardown(self) -> None:
        """Leave nothing behind."""
        if hasattr(self, "kept"):
            self.kept.killed()
        self._folder.close()

    # What senders do

    def _events(self, producer: str, size: int) -> list[Event]:
        return [timeout(producer) for _ in range(size)]

    def _envelope(self, producer: str, seq: int, oldest: int | None = None) -> Envelope:
        return envelope(seq, producer=producer, content=f"{producer}{seq}".encode(), oldest=oldest)

    def _took(self, producer: str, seq: int, size: int) -> None:
        self.high[producer] = seq
        self.sizes[producer, seq] = size
        self.counted[producer] += size

    @rule(producer=PRODUCERS, size=SIZES)
    def submit(self, producer: str, size: int) -> None:
        """Send the next batch in order: it is counted."""
        seq = self.high[producer] + 1
        taken = self.kept.submit(self._events(producer, size), envelope=self._envelope(producer, seq))
        assert taken == Taken(size, 0)
        self._took(producer, seq, size)

    @rule(producer=PRODUCERS, back=st.integers(0, 5))
    def duplicate(self, producer: str, back: int) -> None:
        """Send a batch again: it is recognised. One that was lost cannot come again."""
        seq = self.high[producer] - back
        if (producer, seq) in self.sizes:
            size = self.sizes[producer, seq]
            taken = self.kept.submit(self._events(producer, size), envelope=self._envelope(producer, seq))
            assert taken == Taken(0, size)

    @precondition(lambda self: self.high["p"] > 0)
    @rule()
    def conflict(self) -> None:
        """Send other content under the last identity: it is refused."""
        other = envelope(self.high["p"], producer="p", content=b"other")
        with pytest.raises(RefusalError) as raised:
            self.kept.submit(self._events("p", 3), envelope=other)
        assert raised.value.error == "conflict"

    @rule(producer=PRODUCERS, ahead=st.integers(2, 4), size=SIZES, gone=st.booleans())
    def gap(self, producer: str, ahead: int, size: int, gone: bool) -> None:
        """Send a batch too early: it is refused, or, when what is missing is gone, applied and the loss counted."""
        seq = self.high[producer] + ahead
        identity = self._envelope(producer, seq, oldest=seq if gone else self.high[producer] + 1)
        if gone:
            assert self.kept.submit(self._events(producer, size), envelope=identity) == Taken(size, 0)
            self._took(producer, seq, size)
            self.lost += ahead - 1
            return
        with pytest.raises(RefusalError) as raised:
            self.kept.submit(self._events(producer, size), envelope=identity)
        assert raised.value.extra["expected"] == self.high[producer] + 1

    @rule(new=st.integers(0, 3), again=st.integers(0, 3))
    def bare(self, new: int, again: int) -> None:
        """Of bare events those with ids that are known are not counted again, in one request with new ones too."""
        known = self.ids[-again:] if again else []
        fresh = [uuid7(int(self.clock.now * 1000)) for _ in range(new)]
        taken = self.kept.submit([timeout("bare", id=one) for one in [*known, *fresh]])
        assert taken == Taken(new, len(known))
        self.ids += fresh
        self.counted["bare"] += new

    # What happens to the process

    @rule()
    def crash(self) -> None:
        """Kill between two requests: that costs nothing."""
        self.kept = self.kept.again()

    @rule(producer=PRODUCERS, size=SIZES, durable=st.booleans())
    def crash_in_commit(self, producer: str, size: int, durable: bool) -> None:
        """Kill before or after the commit, either way without an answer: the retry counts once in all."""
        seq, events = self.high[producer] + 1, self._events(producer, size)
        identity = self._envelope(producer, seq)
        self._die(events, identity, durable=durable)
        self.kept = self.kept.again()
        again = self.kept.submit(events, envelope=identity)
        assert again == (Taken(0, size) if durable else Taken(size, 0))
        self._took(producer, seq, size)

    def _die(self, events: Sequence[Event], identity: Envelope, *, durable: bool) -> None:
        journal = self.kept.journal
        assert journal is not None
        commit = journal.commit

        def dying(tables: Tables, meta: dict[str, object]) -> None:
            if durable:
                commit(tables, meta)
            raise KilledError

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(journal, "commit", dying)
            with pytest.raises(KilledError):
                self.kept.submit(events, envelope=identity)

    @rule()
    def restart(self) -> None:
        """End in good order: that costs nothing either."""
        self.kept.tick()
        self.kept.writer.stop()
        self.kept = Kept(self.kept.settings.data_dir or Path(), self.clock)

    @rule(seconds=st.floats(0, 600))
    def wait(self, seconds: float) -> None:
        """Let time pass, and do the housekeeping."""
        self.clock.now += seconds
        self.kept.tick()

    @invariant()
    def scrape(self) -> None:
        """Scrape: it shows what was acknowledged, and no series is lower than it was."""
        if not hasattr(self, "kept"):
            return
        shown = {
            f"{one.name}{one.labels}": one.value
            for family in self.kept.collector.families(openmetrics=False)
            if family.type in {"counter", "histogram", "summary"}
            for one in family.samples
        }
        back = {key: (value, shown.get(key)) for key, value in self.seen.items() if shown.get(key, -1) < value}
        assert not back, back
        self.seen = shown
        for agent, number in self.counted.items():
            assert self.kept.total("timeout_events_total", agent_id=agent) == number
        assert self.kept.total("eddie_lost_batches_total") == self.lost


TestCountedOnce = CountedOnce.TestCase
TestCountedOnce.settings = settings(
    max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
