"""The demo fleet's way out: a bounded queue in front of ``POST /events``, retries, and a loss that is said."""

from __future__ import annotations

import json
import secrets
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleet.web import UnreachableError, ask

if TYPE_CHECKING:
    from fleet.agents import Happening

BATCH = 500  # events a request; the exporter takes 10 000
QUEUE = 20_000  # about half an hour of a fleet, and some megabytes; the oldest are dropped first
PAUSE_LEAST, PAUSE_MOST = 0.5, 10.0  # seconds between tries while the exporter is away, doubling


class RefusedError(Exception):
    """The exporter does not take this fleet's events at all (token, path): trying again would not help."""


def event_id(milliseconds: int) -> str:
    """Return a UUIDv7 for a moment: what makes a repeated try of one event recognisable."""
    value = (milliseconds & (2**48 - 1)) << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
    digits = f"{value:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


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
            event = {**happening.event, "ts": round(ts, 3), "id": event_id(int(ts * 1000))}
            self._queue.append(json.dumps(event, separators=(",", ":")).encode())
        while len(self._queue) > QUEUE:
            self._queue.popleft()
            self.lost += 1

    def flush(self, now: float, *, timeout: float = 2.0) -> None:
        """Send what waits, unless a pause after a failure still runs; raises RefusedError when it is hopeless."""
        while self._queue and now >= self._not_before:
            batch = [self._queue[index] for index in range(min(BATCH, len(self._queue)))]
            if not self._post(batch, now, timeout):
                return
            for _ in batch:
                self._queue.popleft()

    def give_up(self) -> None:
        """Count what still waits as lost: nobody will send it any more."""
        self.lost += len(self._queue)
        self._queue.clear()

    def _post(self, batch: list[bytes], now: float, timeout: float) -> bool:
        """Post one batch; return whether it is done with, be it counted or, aloud, given up."""
        headers = {"Content-Type": "application/x-ndjson"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            answer = ask(f"{self.url}/events", b"\n".join(batch), headers=headers, timeout=timeout)
        except UnreachableError as error:
            return self._wait(now, str(error), None)
        if answer.status == 202:
            self.sent += len(batch)
            self.trouble, self._pause = None, PAUSE_LEAST
            return True
        said = f"{self.url} answered {answer.status}: {answer.text[:300]}"
        if answer.status in {401, 403, 404, 405}:
            raise RefusedError(f"{said}\nexpected 202; is --url the exporter's address, --token-file its ingest token?")
        if answer.status in {413, 415, 422}:  # never by this contract: sent again it would be refused again
            self.lost += len(batch)
            self.trouble = said
            return True
        return self._wait(now, said, answer.retry_after)

    def _wait(self, now: float, trouble: str, seconds: float | None) -> bool:
        self.trouble = trouble
        self._not_before = now + (self._pause if seconds is None else seconds)
        self._pause = min(self._pause * 2, PAUSE_MOST)
        return False
