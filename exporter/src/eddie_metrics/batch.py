"""Station *event out*: a batch gets its identity (producer, epoch, seq) when it is cut, and keeps its bytes.

``Line`` is one producer's way to the exporter: one sealed batch at a time, the head; everything behind it waits raw
in a store, so that a batch that is mended (422) or halved (413) moves no number that was given already.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

from eddie_metrics.events import CONTRACT

MOST_EVENTS = 2000
"""Events of a batch; the exporter takes 10 000."""
MOST_BYTES = 512 * 1024
"""Bytes of lines after which a batch is cut; the exporter takes 8 MiB."""
MOST_LINE = 256 * 1024
"""Bytes an event's line may have; the longest the contract allows, an agent-hello, has somewhat less."""


def new_epoch(after: int = 0) -> int:
    """Make an epoch: unix milliseconds times 1024 + 10 random bits; above ``after``, whatever the clock says."""
    # Not from the module `random`: an agent that seeds it (for its tests, say) would make the same epochs again.
    drawn = time.time_ns() // 1_000_000 * 1024 + (int.from_bytes(os.urandom(2)) & 1023)
    return max(drawn, after + 1)


class Tally:
    """Counts what had to be dropped, by reason, until a batch tells of it; safe under threads and signal handlers."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._waiting: Counter[str] = Counter()
        self._total: Counter[str] = Counter()

    def add(self, reason: str, count: int = 1) -> None:
        """Count ``count`` dropped events."""
        with self._lock:
            self._waiting[reason] += count
            self._total[reason] += count

    def give_back(self, told: dict[str, int]) -> None:
        """Take back what a batch was to tell of, and will not."""
        with self._lock:
            self._waiting.update(told)

    def take(self) -> dict[str, int]:
        """Answer what is to be told of, and forget it."""
        with self._lock:
            taken = dict(self._waiting)
            self._waiting.clear()
            return taken

    def __bool__(self) -> bool:
        """Whether there is something to tell of."""
        return bool(self._waiting)

    def total(self) -> dict[str, int]:
        """Answer everything that was counted since the beginning."""
        with self._lock:
            return dict(self._total)


@dataclass
class Head:
    """A sealed batch: its ``body`` is sent unchanged until it is answered.

    ``number`` is its place in the store; ``rest`` are lines that were cut off because the whole was too large;
    ``old``: an earlier process recorded them.
    """

    number: int
    producer: str
    epoch: int
    seq: int
    lines: list[bytes]
    dropped: dict[str, int] = field(default_factory=dict)
    rest: list[bytes] = field(default_factory=list)
    body: bytes = b""
    saved: bool = False
    old: bool = False

    def seal(self) -> None:
        """Fix the bytes; what is sealed again was never taken under this identity."""
        identity: dict[str, object] = {"producer": self.producer, "epoch": self.epoch, "seq": self.seq}
        identity["contract"] = CONTRACT
        if self.dropped:
            identity["dropped"] = self.dropped
        around = json.dumps(identity, separators=(",", ":")).encode("ascii")
        self.body = b'%b,"events":[%b]}' % (around[:-1], b",".join(self.lines))
        self.saved = False


@dataclass
class Cut:
    """Lines that were cut off a store's waiting ones, oldest first, and their place in it."""

    number: int
    lines: list[bytes]
    old: bool = False
    lost: int = 0
    """Events of this process that were here and cannot be read; they are counted."""


class Store(Protocol):
    """Where events wait: in memory, or in an outbox on a disk."""

    @property
    def taken(self) -> int:
        """Events that were ever put here by this process."""

    @property
    def waiting(self) -> int:
        """Events that are not cut yet."""

    def put(self, line: bytes) -> str | None:
        """Take an event, on the agent's thread. Answer why it was not taken, "first" or "full" to be woken, None."""

    def cut(self) -> Cut | None:
        """Take the oldest events off, as many as a batch has; None when there are none. Raises OSError."""

    def save(self, head: Head) -> None:
        """Make a sealed batch durable, in place of the lines or the batch it was made of. Raises OSError."""

    def done(self, head: Head) -> None:
        """Let a batch go. Raises OSError."""

    def recover(self) -> Head | None:
        """Answer the batch that an earlier process had sealed."""

    def new_epoch(self) -> int:
        """Make an epoch that this store never had. Raises OSError."""

    def close(self) -> None:
        """Let go of files; what waits stays in them."""


class Line:
    """One producer's way to the exporter; used by the sending thread alone."""

    def __init__(self, producer: str, store: Store, tally: Tally) -> None:
        self.producer = producer
        self.store = store
        self.tally = tally
        self.epoch = store.new_epoch()
        self.seq = 0
        self.head = store.recover()
        self.settled = 0
        self.not_before = 0.0
        self.failed = 0
        self.gaps = 0

    def next(self) -> Head | None:
        """Answer the batch to send, durable where the store is; None when nothing waits. Raises OSError."""
        if self.head is None:
            cut = self.store.cut()
            if cut is not None and not cut.old:
                self.settled += cut.lost
            if not (cut and cut.lines) and not self.tally:
                return None
            self.head = self._sealed(cut or Cut(0, []))  # segments are numbered from 1
        if not self.head.saved:
            self.store.save(self.head)
            self.head.saved = True
        return self.head

    def _sealed(self, cut: Cut) -> Head:
        self.seq += 1
        head = Head(cut.number, self.producer, self.epoch, self.seq, cut.lines, self.tally.take(), old=cut.old)
        head.seal()
        return head

    def accepted(self) -> None:
        """Let the head go: it was counted. Raises OSError."""
        head = self._the_head()
        self._settle(head, len(head.lines))
        if head.rest:
            self.head = self._sealed(Cut(head.number, head.rest, head.old))
            return
        self.head = None
        self.store.done(head)

    def take_out(self, place: int, reason: str) -> bytes:
        """Take one event out of the head, tell of it in the same batch, and answer its line."""
        head = self._the_head()
        line = head.lines.pop(place)
        self._settle(head, 1)
        self.tally.add(reason)
        for told, count in self.tally.take().items():
            head.dropped[told] = head.dropped.get(told, 0) + count
        head.seal()
        return line

    def halve(self) -> None:
        """Keep the first half of the head under its number; the second is sealed when that is answered."""
        head = self._the_head()
        middle = (len(head.lines) + 1) // 2
        head.rest = head.lines[middle:] + head.rest
        head.lines = head.lines[:middle]
        head.seal()

    def tell_nothing(self) -> None:
        """Empty the head of what it tells of drops: that is what is refused."""
        head = self._the_head()
        head.dropped = {}
        head.seal()

    def begin_again(self) -> None:
        """Seal the head under a new epoch. Raises OSError."""
        head = self._the_head()
        self.epoch, self.seq = self.store.new_epoch(), 1
        head.epoch, head.seq = self.epoch, self.seq
        head.seal()

    def _settle(self, head: Head, count: int) -> None:
        if not head.old:
            self.settled += count

    def _the_head(self) -> Head:
        assert self.head is not None  # noqa: S101  (asked for only with an answer to it in hand)
        return self.head
