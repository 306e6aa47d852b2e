"""The driver: many senders in one thread, each retrying like a real client until everything is acknowledged."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.support.chaos.ledger import Ledger
from tests.support.chaos.outbox import Box, IdOutbox, Outbox
from tests.support.chaos.traffic import Traffic
from tests.support.chaos.wire import Link, Request

from eddie_metrics.ids import uuid7

FIRST_WAIT = 0.02
LONGEST_WAIT = 0.5
"""Seconds. A client of the field would wait up to a minute; here that would only make the tests long."""


def new_epoch() -> int:
    """Make an epoch: unix milliseconds times 1024 + 10 random bits."""
    return time.time_ns() // 1_000_000 * 1024 + random.getrandbits(10)


@dataclass
class Sender:
    """One agent: makes batches of ``size`` events, one every ``pace`` seconds or whenever the last is acknowledged."""

    traffic: Traffic
    box: Box
    size: int = 20
    pace: float = 0.0
    made: int = 0
    record: list[Request] | None = None
    random: random.Random = field(default_factory=random.Random)
    failed: int = 0

    def pause(self, asked: float | None) -> float:
        """Answer how long to wait after a failure: full jitter below a bound that doubles, or what the server asked."""
        self.failed += 1
        bound = min(LONGEST_WAIT, max(FIRST_WAIT * 2**self.failed, asked or 0.0))
        return self.random.uniform(0, bound)

    def make(self, elapsed: float) -> None:
        """Put what is due into the outbox."""
        if not self.pace:
            if not self.box.waiting:
                self.box.put(self.traffic.batch(self.size))
            return
        while self.made * self.pace <= elapsed:
            self.box.put(self.traffic.batch(self.size))
            self.made += 1


class Fleet:
    """Runs senders against one address; ``drain`` stops the making and returns when nothing is held any more."""

    def __init__(self, port: int, ledger: Ledger, senders: Sequence[Sender], *, timeout: float = 5.0) -> None:
        self.port = port
        self.ledger = ledger
        self.senders = senders
        self._timeout = timeout
        self._closing = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._all()), name="fleet", daemon=True)
        self.fault: BaseException | None = None

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def drain(self, within: float = 60) -> None:
        """Let every sender bring home what it holds. ``within``: seconds."""
        self._closing.set()
        self._thread.join(within)
        self._check()
        held = sum(one.box.waiting for one in self.senders)
        assert not self._thread.is_alive(), f"{held} batches are still held after {within} s: {self.ledger.answers}"

    def stop(self) -> None:
        """Give up what is held; for tests that fail."""
        self._stop.set()
        self._thread.join(10)
        self._check()

    def _check(self) -> None:
        if self.fault is not None:
            raise self.fault

    async def _all(self) -> None:
        tasks = [asyncio.create_task(self._send(one)) for one in self.senders]
        watch = asyncio.create_task(self._wait_for_stop(tasks))
        try:
            await asyncio.gather(*tasks)
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # noqa: BLE001  (the thread that waits raises it again)
            self.fault = error
        watch.cancel()

    async def _wait_for_stop(self, tasks: list[asyncio.Task[None]]) -> None:
        while not self._stop.is_set():  # noqa: ASYNC110  (set by another thread)
            await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()

    async def _send(self, sender: Sender) -> None:
        link = Link("127.0.0.1", self.port, self._timeout)
        began = time.monotonic()
        try:
            while True:
                if not self._closing.is_set():
                    sender.make(time.monotonic() - began)
                request = sender.box.head(time.time())
                if request is not None:
                    await self._try(sender, link, request)
                elif self._closing.is_set() and not sender.box.closed():
                    return
                elif not self._closing.is_set():
                    await asyncio.sleep(min(sender.pace or 0.05, 0.05))
        finally:
            link.close()

    async def _try(self, sender: Sender, link: Link, request: Request) -> None:
        """Try the head once; without an answer that settles it, wait."""
        if sender.record is not None:
            sender.record.append(request)
        asked, again = time.monotonic(), None
        try:
            reply = await link.send(request)
            again = reply.retry_after
            if sender.box.settle(reply):
                if not sender.failed:
                    self.ledger.seconds.append(time.monotonic() - asked)
                sender.failed = 0
                return
        except OSError:
            self.ledger.answers["none"] += 1
        await asyncio.sleep(sender.pause(again))


def fleet_of(
    port: int,
    *,
    numbered: int = 12,
    with_ids: int = 4,
    size: int = 20,
    pace: float = 0.0,
    seed: int = 1,
    most: int = 100_000,
    ledger: Ledger | None = None,
    timeout: float = 5.0,
) -> Fleet:
    """Make a fleet: ``numbered`` senders of envelopes (every third compressed) and ``with_ids`` of bare events.

    The last sender with ids uses the single webhooks, one event a request.
    """
    ledger = Ledger() if ledger is None else ledger
    senders: list[Sender] = []
    for number in range(numbered):
        box = Outbox(f"producer-{seed}-{number}", ledger, epoch=new_epoch, most=most, packed=number % 3 == 2)
        senders.append(Sender(Traffic(f"agent-{seed}-{number}", seed * 1000 + number), box, size, pace))
    for number in range(with_ids):
        bare = IdOutbox(f"bare-{seed}-{number}", ledger, new_id=uuid7, most=most)
        one = size if number < with_ids - 1 else 1
        senders.append(Sender(Traffic(f"agent-{seed}-id{number}", seed * 2000 + number), bare, one, pace))
    return Fleet(port, ledger, senders, timeout=timeout)


@contextmanager
def driven(fleet: Fleet) -> Iterator[Fleet]:
    """Run a fleet until the block is left; whoever wants it drained drains it inside."""
    fleet.start()
    try:
        yield fleet
    finally:
        fleet.stop()
