"""The demo fleet's way out: a bounded queue before ``POST /events``, retries that count once, a loss that is said."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from eddie_metrics.ids import uuid7
from fleet.web import Answer, UnreachableError, ask

if TYPE_CHECKING:
    from fleet.agents import Happening

BATCH = 500  # events a request; the exporter takes 10 000
QUEUE = 20_000  # about half an hour of a fleet, and some megabytes; the oldest are dropped first
PAUSE_LEAST, PAUSE_MOST = 0.5, 10.0  # seconds between tries while the exporter is away, doubling


class RefusedError(Exception):
    """The exporter does not take this fleet's events at all (token, path): trying again would not help."""


@dataclass
class Sender:
    """Post happenings to ``url``. ``born`` is the unix time of the fleet's start, ``now`` everywhere likewise."""

    url: str
    token: str | None
    born: float
    sent: int = 0
    lost: int = 0
    trouble: str | None = None  # what stands between the fleet and the exporter now
    _queue: deque[bytes] = field(default_factory=deque)
    _most: int = BATCH
    _pause: float = PAUSE_LEAST
    _not_before: float = 0.0

    @property
    def waiting(self) -> int:
        """Return how many events wait to be sent."""
        return len(self._queue)

    def put(self, happenings: list[Happening]) -> None:
        """Queue what happened, each with its time and an id; drop and count the oldest when the queue is full."""
        for happening in happenings:
            ts = self.born + happening.at
            event = {**happening.event, "ts": round(ts, 3), "id": uuid7(int(ts * 1000))}
            self._queue.append(json.dumps(event, separators=(",", ":")).encode())
        while len(self._queue) > QUEUE:
            self._queue.popleft()
            self.lost += 1

    def flush(self, now: float, *, timeout: float = 2.0) -> None:
        """Send what waits, unless a pause after a failure still runs; raises RefusedError when it is hopeless."""
        while self._queue and now >= self._not_before:
            batch = list(islice(self._queue, self._most))
            if not self._post(batch, now, timeout):
                return

    def give_up(self) -> None:
        """Count what still waits as lost: nobody will send it any more."""
        self.lost += len(self._queue)
        self._queue.clear()

    def _post(self, batch: list[bytes], now: float, timeout: float) -> bool:
        """Post the first events of the queue; return whether to go on at once, False when it is to be tried later."""
        headers = {"Content-Type": "application/x-ndjson"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            answer = ask(f"{self.url}/events", b"\n".join(batch), headers=headers, timeout=timeout)
        except UnreachableError as error:
            return self._wait(now, str(error), None)
        if answer.status == 202:
            self.sent += len(batch)
            self._forget(len(batch))
            self.trouble, self._pause = None, PAUSE_LEAST
            return True
        said = f"{self.url} answered {answer.status}: {answer.text[:300]}"
        if answer.status in {401, 403, 404, 405}:
            raise RefusedError(f"{said}\nexpected 202; is --url the exporter's address, --token-file its ingest token?")
        if answer.status in {413, 415, 422}:
            self.trouble = said
            self._mend(answer, len(batch))
            return True
        return self._wait(now, said, answer.retry_after)

    def _mend(self, answer: Answer, count: int) -> None:
        """Make of a batch that would be refused again one that may pass: halves of a too large one, without a bad one.

        What is taken out is lost, aloud; where the answer names no event that is the whole batch.
        """
        if answer.status == 413 and count > 1:
            self._most = count // 2
            return
        index = _named(answer)
        if index is not None and index < count:
            del self._queue[index]
            self.lost += 1
            return
        self._forget(count)
        self.lost += count

    def _forget(self, count: int) -> None:
        for _ in range(count):
            self._queue.popleft()
        self._most = BATCH

    def _wait(self, now: float, trouble: str, seconds: float | None) -> bool:
        self.trouble = trouble
        self._not_before = now + (self._pause if seconds is None else seconds)
        self._pause = min(self._pause * 2, PAUSE_MOST)
        return False


def _named(answer: Answer) -> int | None:
    """Return the position of the event that a 422 names."""
    try:
        said = answer.json()
    except ValueError:
        return None
    index = said.get("index") if isinstance(said, dict) else None
    return index if isinstance(index, int) and not isinstance(index, bool) and index >= 0 else None
