"""What a client holds until it is acknowledged, and what it does with each answer; knows no network and no clock.

``Outbox`` numbers batches (producer, epoch, seq) as design §4 says; ``IdOutbox`` is a sender without an SDK that
puts a UUIDv7 on each event. A sealed batch has the same bytes at every try.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from tests.support.chaos.ledger import Ledger
from tests.support.chaos.traffic import Event
from tests.support.chaos.wire import Reply, Request

AGAIN = frozenset({408, 429, 500, 502, 503, 504, 507})
"""Answers that take nothing: the same bytes again, later."""


class Box(Protocol):
    """Where a sender keeps what is not acknowledged."""

    @property
    def waiting(self) -> int:
        """Batches that are not acknowledged."""

    def put(self, events: list[Event]) -> None:
        """Take events that are to be sent."""

    def head(self, now: float) -> Request | None:
        """Answer the oldest batch as a request, or None when nothing is held; ``now`` is this try's clock."""

    def settle(self, reply: Reply) -> bool:
        """Take the reply to `head`; True: go on at once, False: try the same again, later."""

    def closed(self) -> bool:
        """No more events will come: hold what is left to say, and answer whether there is something."""


@dataclass
class Sealed:
    """A batch whose bytes are fixed."""

    events: list[Event]
    body: bytes
    dropped: dict[str, int] = field(default_factory=dict)
    tries: int = 0


class _Held:
    """What both outboxes do: hold batches in order, and give the head's bytes again until it is settled."""

    def __init__(self, name: str, ledger: Ledger, most: int) -> None:
        self.name = name
        self.ledger = ledger
        self.dropped: Counter[str] = Counter()
        self._most = most
        self._batches: deque[list[Event]] = deque()
        self._head: Sealed | None = None

    @property
    def waiting(self) -> int:
        """Batches that are not acknowledged."""
        return len(self._batches) + (self._head is not None)

    def put(self, events: list[Event]) -> None:
        """Hold a batch; past the cap the oldest that was never tried goes, and is counted."""
        if len(self._batches) >= self._most:
            self.dropped["outbox-full"] += len(self._batches.popleft())
        self._batches.append(events)

    def closed(self) -> bool:
        """Bare events have no way to tell of drops."""
        return False

    def _take_out(self, place: int | None, reason: str) -> None:
        """Take the refused event out of the head and count it; what remains is sealed again."""
        assert self._head is not None
        events = list(self._head.events)
        if place is None or not 0 <= place < len(events):
            self.ledger.surprises.append(f"a refusal that names no event: {place!r}")
            events, place = events[:1], 0
        del events[place]
        self.dropped.update(self._head.dropped)
        self.dropped[reason] += 1
        self._batches.appendleft(events)
        self._head = None

    def _halve(self) -> None:
        """Send in two parts what is too large for one; a single event that is too large is dropped."""
        assert self._head is not None
        events, middle = self._head.events, len(self._head.events) // 2
        if not middle:
            return self._take_out(0, "too-large")
        self.dropped.update(self._head.dropped)
        self._batches.extendleft((events[middle:], events[:middle]))
        self._head = None
        return None

    def _enter(self, reply: Reply) -> None:
        """Enter an acknowledged head into the ledger, and let go of it."""
        assert self._head is not None
        said, head = reply.json(), self._head
        if said["accepted"] + said["duplicates"] != len(head.events):
            self.ledger.surprises.append(f"{len(head.events)} events were answered {said}")
        if said["duplicates"] and head.tries == 1:
            self.ledger.surprises.append(f"{self.name}: a batch sent for the first time was answered {said}")
        self.ledger.duplicates += said["duplicates"]
        self.ledger.acknowledge(self.name, head.events, head.dropped)
        self._head = None

    def settle(self, reply: Reply) -> bool:
        """Do what design §4 asks a client to do."""
        assert self._head is not None
        self.ledger.answers[str(reply.status)] += 1
        if reply.status in AGAIN:
            return False
        if reply.status == 202:
            self._enter(reply)
        elif reply.status == 413:
            self._halve()
        elif reply.status == 422:
            self._take_out(reply.json().get("index"), "refused")
        else:
            return self.refused(reply)
        return True

    def refused(self, reply: Reply) -> bool:
        """Take an answer that should not come; the test that reads the ledger fails on it."""
        self.ledger.surprises.append(f"{self.name}: {reply.status} {reply.body[:300]!r}")
        return False


class Outbox(_Held):
    """Batches with an identity: one of an epoch is in flight at a time, the head."""

    def __init__(
        self, producer: str, ledger: Ledger, *, epoch: Callable[[], int], most: int = 100_000, packed: bool = False
    ) -> None:
        """``epoch`` makes a new one; ``most`` batches are held; ``packed`` compresses them."""
        super().__init__(producer, ledger, most)
        self._new_epoch = epoch
        self._packed = packed
        self.epoch = epoch()
        self.seq = 1

    def head(self, now: float) -> Request | None:
        """Seal the oldest batch if it is not sealed, and answer it. What belongs to this try is in headers."""
        if self._head is None:
            if not self._batches:
                return None
            self._seal(self._batches.popleft())
        assert self._head is not None
        self._head.tries += 1
        headers = {
            "content-type": "application/json",
            "eddie-oldest": str(self.seq),
            "eddie-sent": f"{now:.3f}",
            **({"content-encoding": "gzip"} if self._packed else {}),
        }
        return Request("/events", headers, self._head.body)

    def _seal(self, events: list[Event]) -> None:
        dropped = dict(self.dropped)
        self.dropped.clear()
        envelope = {"producer": self.name, "epoch": self.epoch, "seq": self.seq, "events": events, "contract": 1}
        text = json.dumps({**envelope, "dropped": dropped} if dropped else envelope).encode()
        self._head = Sealed(events, gzip.compress(text, 1, mtime=0) if self._packed else text, dropped)

    def closed(self) -> bool:
        """Tell of the last drops in a batch without events."""
        if self.dropped:
            self._batches.append([])
        return bool(self.dropped)

    def settle(self, reply: Reply) -> bool:
        """Count the seq up when, and only when, the batch was taken."""
        if reply.status == 202:
            self.seq += 1
        return super().settle(reply)

    def refused(self, reply: Reply) -> bool:
        """Begin a new epoch where the old one was forgotten."""
        if reply.status == 409 and reply.json().get("error") == "expired" and self._head is not None:
            self.epoch, self.seq = self._new_epoch(), 1
            self.dropped.update(self._head.dropped)
            self._batches.appendleft(self._head.events)
            self._head = None
            return True
        return super().refused(reply)


class IdOutbox(_Held):
    """Bare events, each with an id that makes a retry recognisable."""

    def __init__(self, name: str, ledger: Ledger, *, new_id: Callable[[], str], most: int = 100_000) -> None:
        super().__init__(name, ledger, most)
        self._new_id = new_id

    def head(self, now: float) -> Request | None:
        """Give each event of the oldest batch its id, once, and answer the batch: an array, or a single webhook."""
        if self._head is None:
            if not self._batches:
                return None
            events = [event if "id" in event else {**event, "id": self._new_id()} for event in self._batches.popleft()]
            body = json.dumps(events if len(events) != 1 else _bare(events[0])).encode()
            self._head = Sealed(events, body)
        self._head.tries += 1
        single = len(self._head.events) == 1
        path = f"/events/{self._head.events[0]['kind']}" if single else "/events"
        return Request(path, {"content-type": "application/json", "eddie-sent": f"{now:.3f}"}, self._head.body)


def _bare(event: Event) -> Event:
    return {name: value for name, value in event.items() if name != "kind"}
