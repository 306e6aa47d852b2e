"""Station *event out*, its thread: cuts what waits into batches, sends them, and does what the answers ask.

It begins with the first event. It waits for a quarter of a second behind the first event of a batch, or until a batch
is full; whatever goes wrong is logged once, waited for, and tried again.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from eddie_metrics.answers import AGAIN, Answers, Once
from eddie_metrics.batch import MOST_EVENTS, Head, Line, Store, Tally
from eddie_metrics.boxes import Adopting, own_store
from eddie_metrics.errors import ClientSettingsError
from eddie_metrics.settings import ClientSettings, token_of
from eddie_metrics.wire import Wire

GATHER = 0.25
"""Seconds from the first event of a batch to its sending."""
_WORTH_PACKING = 32 * 1024
"""Bytes from which compression costs less than the way over a network; on loopback it never does."""
LONG_AWAY = 5.0
"""Seconds without any answer from which an end waits no longer for one: a restart takes less."""
_DISK_AGAIN = 1.0
"""Seconds between two tries when the outbox's disk refuses."""


class Sending:
    """One process's events on their way. Raises ClientError, OSError.

    ``store`` takes events from any thread; what is private is the thread's own, but for what says otherwise.
    """

    def __init__(self, settings: ClientSettings, tally: Tally, once: Once, answers: Answers) -> None:
        self._settings = settings
        self._once = once
        self._answers = answers
        self._tally = tally
        self._wire = Wire(settings.url)
        self._tokens: dict[str, str] = {}
        self.store: Store
        self.producer, self.store = own_store(settings, tally)
        self._adopting = Adopting(settings, tally, once)
        self._line: Line | None = None
        # Of all the ways to wake a thread the one that a signal handler may use in the middle of itself.
        self._woken: SimpleQueue[None] = SimpleQueue()
        self._moved = threading.Condition()
        self._target = 0
        self._asked = self._ending = self._over = False
        self._cut_at = math.inf
        self._told_until = 0.0
        self._away_since: float | None = None
        self._tries_failed = 0
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Start the thread. Raises RuntimeError where the interpreter starts no more of them."""
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="eddie-metrics", daemon=True)
            thread.start()
            self._thread = thread

    def wake(self) -> None:
        """Tell the thread that there is something to do."""
        self._woken.put(None)

    @property
    def settled(self) -> int:
        """Events of this process that were answered, or taken out and counted."""
        line = self._line
        return line.settled if line is not None else 0

    @property
    def waiting(self) -> int:
        """Events of this process that are not settled."""
        return self.store.taken - self.settled

    @property
    def lasting(self) -> bool:
        """Whether what waits outlives this process."""
        return self._settings.outbox is not None

    def flush(self, seconds: float, or_until: Callable[[], bool] = lambda: False) -> bool:
        """Send at once what was taken until now; answer whether all of it was answered in ``seconds``."""
        target = self.store.taken
        self._target = max(self._target, target)
        self._asked = True
        self.wake()
        with self._moved:
            self._moved.wait_for(lambda: self._told(target) or self._over or or_until(), max(seconds, 0.0))
        return self.settled >= target

    def _told(self, target: int) -> bool:
        """Whether ``target`` events are settled, and drops are told of."""
        head = self._line.head if self._line is not None else None
        return self.settled >= target and not self._tally and not (head and head.dropped)

    def _hopeless(self, failed: int) -> Callable[[], bool]:
        """Make the test whether to wait no longer: a try failed, and what waits is kept or long nobody was there."""

        def hopeless() -> bool:
            away = self._away_since
            long = away is not None and time.monotonic() - away >= LONG_AWAY
            return self._tries_failed > failed and away is not None and (self.lasting or long)

        return hopeless

    def close(self, seconds: float) -> bool:
        """Send what waits, and end; past ``seconds`` the thread is left to what holds it.

        Where the last try shows that nobody is there, it ends at once: with an outbox, or after ``LONG_AWAY``.
        """
        until = time.monotonic() + seconds
        if self._thread is None:  # the interpreter was ending before the first event
            with contextlib.suppress(RuntimeError):
                self.begin()
        done = self.flush(seconds if self._thread else 0.0, or_until=self._hopeless(self._tries_failed))
        self._ending = True
        self.wake()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(max(until - time.monotonic(), 0.05 if seconds > 0 else 0.0))
        return done

    def abandon(self) -> None:
        """Let go of everything in a forked child: it is its parent's, and so are the locks."""
        self._over = self._ending = True
        for one in (self._wire, self.store, self._adopting):
            with contextlib.suppress(Exception):
                one.close()

    def _run(self) -> None:
        """Go on until ``close``; nothing that happens here ends it."""
        while not self._ending:
            try:
                pause = self._round(time.monotonic())
            except OSError as error:
                self._once(f"disk {error.errno}", "the outbox fails, is tried again: %s", error)
                pause = _DISK_AGAIN
            except Exception as error:  # noqa: BLE001  (nobody else would send)
                self._once(f"thread {type(error).__name__}", "sending fails, is tried again: %r", error)
                pause = _DISK_AGAIN
            self._wait(pause)
        self._over = True
        self._wire.close()
        self.store.close()
        self._adopting.close()
        self._tell()

    def _wait(self, seconds: float | None) -> None:
        """Wait to be woken, at most ``seconds``."""
        with contextlib.suppress(Empty):
            self._woken.get(timeout=seconds)
            while True:
                self._woken.get_nowait()

    def _round(self, now: float) -> float | None:
        """Send what is due and answer the seconds to the next round, None for until somebody wakes. Raises OSError."""
        if self._line is None:
            self._line = Line(self.producer, self.store, self._tally)
        own = self._line
        asked, self._asked = self._asked, False
        if asked:
            own.not_before = min(own.not_before, self._told_until)
        self._gather(own, now, hurried=asked or self.settled < self._target)
        adopted = self._adopting.line(now)
        if self._due(own) <= now and not self._ending:
            self._send(own)
        if adopted is not None and self._due(adopted) <= now and not self._ending:
            try:
                self._send(adopted)
            except OSError as error:  # the box's disk; its own is another, or will say so itself
                self._adopting.give_up(error)
                adopted = None
        self._gather(own, now, hurried=self.settled < self._target)
        again = min(self._due(own), self._due(adopted), self._adopting.again())
        return None if again == math.inf else max(again - time.monotonic(), 0.0)

    def _gather(self, own: Line, now: float, *, hurried: bool) -> None:
        """Set when the next batch is cut: now if somebody waits for it or it is full, else in a while."""
        waiting = self.store.waiting
        if own.head is None and (waiting or self._tally):
            self._cut_at = now if hurried or waiting >= MOST_EVENTS else min(self._cut_at, now + GATHER)

    def _due(self, line: Line | None) -> float:
        """Answer when a line has something to send: steady seconds."""
        if line is None:
            return math.inf
        ready = line.head is not None or line is not self._line
        return max(line.not_before, 0.0 if ready else self._cut_at)

    def _send(self, line: Line) -> None:
        """Try one batch once. Raises OSError for the outbox's disk."""
        head = line.next()
        if line is self._line:
            self._cut_at = math.inf
        if head is None:
            self._adopting.empty(line)
            return
        began = time.monotonic()
        try:
            reply = self._wire.post(*self._packed(head))
        except Exception as error:  # noqa: BLE001  (an address that no resolver likes raises more than OSError)
            self._once("away", "the exporter at %s does not answer: events wait (%r)", self._wire.place, error)
            line.not_before = time.monotonic() + self._answers.pause(line)
            self._tries_failed += 1
            self._away_since = self._away_since or began
            self._tell()
            return
        self._away_since = None
        pause = self._answers.settle(line, head, reply)
        line.not_before = time.monotonic() + pause
        if pause and (reply.retry_after or reply.status not in AGAIN):
            self._told_until = line.not_before
        self._tell()

    def _packed(self, head: Head) -> tuple[bytes, dict[str, str]]:
        """Answer the body as it travels and the headers of this try."""
        headers = {"Eddie-Sent": f"{time.time():.3f}", "Eddie-Oldest": str(head.seq)}
        token = self._token(head.producer)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if self._wire.local or len(head.body) < _WORTH_PACKING:
            return head.body, headers
        return gzip_compress(head.body), headers | {"Content-Encoding": "gzip"}

    def _token(self, producer: str) -> str | None:
        """Read the token at every try: one that was replaced is seen; one that is away for a moment is remembered."""
        if self._settings.token_file is None:
            return None
        try:
            self._tokens[producer] = token_of(self._settings.token_file, producer)
        except (OSError, ValueError, ClientSettingsError) as error:
            self._once("token", "no token: %s", error)
        return self._tokens.get(producer)

    def _tell(self) -> None:
        with self._moved:
            self._moved.notify_all()


def gzip_compress(body: bytes) -> bytes:
    """Compress fast; imported here, because most agents never need it."""
    import gzip  # noqa: PLC0415

    return gzip.compress(body, 1)
