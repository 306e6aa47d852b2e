"""The bench's load: kept connections to 127.0.0.1, one request at a time on each, for a bounded time.

Neither hey nor wrk is on every machine, and neither can number the batches of a producer.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import uvloop

Request = Callable[[int, int], bytes | None]
"""Answers a whole request by the connection's number and the request's on it, both from 0; None: that was all."""

MOST_REQUESTS = 500_000
"""What one load may send at most, however fast the answers come."""
PATIENCE = 30.0
"""Seconds that the last answers may take."""


@dataclass
class Seen:
    """What became of a load: how long it took, and each answer's status, start and latency in seconds."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    answers: list[tuple[float, float]] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Answered requests per second."""
        return len(self.answers) / self.seconds

    def percentile(self, share: float, among: Sequence[tuple[float, float]] | None = None) -> float:
        """Answer the latency, in milliseconds, that ``share`` (0 to 1) of the requests stay within."""
        latencies = sorted(latency for _, latency in (self.answers if among is None else among))
        if not latencies:
            return float("nan")
        return latencies[min(len(latencies) - 1, int(share * len(latencies)))] * 1e3

    def only(self, status: int) -> None:
        """Raise RuntimeError unless every answer was ``status``: a load that was refused measures nothing."""
        if set(self.statuses) != {status}:
            raise RuntimeError(f"expected only answers {status}, got {dict(self.statuses)}; look at the server's log")


class _Connection(asyncio.Protocol):
    """One kept connection: sends the next request when the last is answered, after ``pause`` seconds."""

    def __init__(self, number: int, request: Request, ends: float, pause: float, seen: Seen) -> None:
        self._number = number
        self._request = request
        self._ends = ends
        self._pause = pause
        self._seen = seen
        self._sent = 0
        self._started = 0.0
        self._got = bytearray()
        self._missing: int | None = None
        self._over = False
        self._transport: asyncio.Transport | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class is not derived from it
        self._send()

    def _send(self) -> None:
        assert self._transport is not None  # noqa: S101  nothing is sent before the connection is made
        late = time.perf_counter() >= self._ends or len(self._seen.answers) >= MOST_REQUESTS
        wire = None if late else self._request(self._number, self._sent)
        if wire is None:
            self._over = True
            self._transport.close()
            return
        self._sent += 1
        self._started = time.perf_counter()
        self._transport.write(wire)

    def data_received(self, data: bytes) -> None:
        """Note the answer when all of it is here, and go on."""
        if self._missing is None:
            self._got += data
            end = self._got.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._got[:end]).lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            self._seen.statuses[int(head.split(b" ", 2)[1])] += 1
            self._missing = length - (len(self._got) - end - 4)
        else:
            self._missing -= len(data)
        if self._missing <= 0:
            self._seen.answers.append((self._started, time.perf_counter() - self._started))
            self._got.clear()
            self._missing = None
            if self._pause:
                asyncio.get_running_loop().call_later(self._pause, self._send)
            else:
                self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """End; a connection that the server closed too early is an error."""
        if self.done.done():
            return
        if not self._over:
            self.done.set_exception(ConnectionError(f"the server closed connection {self._number}: {exc}"))
        else:
            self.done.set_result(None)


async def send(port: int, request: Request, *, connections: int, seconds: float, pause: float = 0.0) -> Seen:
    """Send for ``seconds`` on so many connections and answer what was seen; each waits ``pause`` between requests."""
    loop = asyncio.get_running_loop()
    seen = Seen()
    started = time.perf_counter()
    ends = started + seconds

    def connection(number: int) -> Callable[[], _Connection]:
        return lambda: _Connection(number, request, ends, pause, seen)

    async with asyncio.timeout(seconds + PATIENCE):
        made = [await loop.create_connection(connection(number), "127.0.0.1", port) for number in range(connections)]
        await asyncio.gather(*(protocol.done for _, protocol in made))
    seen.seconds = time.perf_counter() - started
    return seen


def load(port: int, request: Request, *, connections: int, seconds: float) -> Seen:
    """Run one load by itself."""
    return uvloop.run(send(port, request, connections=connections, seconds=seconds))
