"""Station *event out*: events wait in memory, bounded in bytes; ``kill -9`` loses them, which an outbox does not."""

from __future__ import annotations

import threading
from collections import deque

from eddie_metrics.batch import MOST_BYTES, MOST_EVENTS, MOST_LINE, Cut, Head, new_epoch

_AROUND = 64
"""Bytes a line takes in memory besides its own."""


class MemoryStore:
    """Holds at most ``most`` bytes; past it what comes is refused, so that the order of what is held stays."""

    def __init__(self, most: int) -> None:
        # Reentrant: a signal handler of the agent's may record in the middle of a record.
        self._lock = threading.RLock()
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._most = most
        self.taken = 0
        self._epoch = 0

    @property
    def waiting(self) -> int:
        """Events that are not cut yet."""
        return len(self._lines)

    def put(self, line: bytes) -> str | None:
        """Take an event, on the agent's thread. Answer why it was not taken, "first" or "full" to be woken, None."""
        size = len(line) + _AROUND
        with self._lock:
            if self._bytes + size > self._most or size > MOST_LINE:
                return "queue-full"
            self._bytes += size
            self.taken += 1
            self._lines.append(line)
            count = len(self._lines)
        return "first" if count == 1 else "full" if count == MOST_EVENTS else None

    def cut(self) -> Cut | None:
        """Take the oldest events off, as many as a batch has; None when there are none."""
        taken: list[bytes] = []
        size = 0
        while self._lines and len(taken) < MOST_EVENTS and size < MOST_BYTES:
            taken.append(self._lines.popleft())
            size += len(taken[-1])
        with self._lock:
            self._bytes -= size + _AROUND * len(taken)
        return Cut(0, taken) if taken else None

    def save(self, head: Head) -> None:
        """Nothing is durable here."""

    def done(self, head: Head) -> None:
        """Nothing is kept here."""

    def recover(self) -> Head | None:
        """Nothing is left by an earlier process."""
        return None

    def new_epoch(self) -> int:
        """Make an epoch that this store never had."""
        self._epoch = new_epoch(self._epoch)
        return self._epoch

    def close(self) -> None:
        """Nothing is open."""
