"""Station *event out*: which box of an outbox a process writes to, and who sends what killed processes left.

An outbox is a folder that all agents of a machine may share; each process holds a box in it.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

from eddie_metrics.answers import Once
from eddie_metrics.batch import Line, Store, Tally
from eddie_metrics.memory import MemoryStore
from eddie_metrics.settings import ClientSettings, bound

if TYPE_CHECKING:
    from eddie_metrics.outbox import Outbox

_TRIES = 10
LOOK_AGAIN = 30.0
"""Seconds between two looks for boxes that killed processes left."""


def own_store(settings: ClientSettings, tally: Tally) -> tuple[str, Store]:
    """Answer this process's producer and where its events wait. Raises OSError.

    Two processes never share a producer unless somebody chose its name: the random end keeps (producer, epoch, seq)
    of a hundred workers that begin in the same millisecond apart.
    """
    fixed = settings.named or (settings.token_file is not None and bound(settings.token_file, settings.producer))
    producer = settings.producer if fixed else f"{settings.producer[:119]}:{os.urandom(4).hex()}"
    if settings.outbox is None:
        return producer, MemoryStore(settings.queue_bytes)
    box = _free_box(settings, producer, fixed, tally)
    return box.producer, box


def _free_box(settings: ClientSettings, producer: str, fixed: bool, tally: Tally) -> Outbox:
    """Take the box that an earlier process of this agent left, so that restarts pile up none; else a new one."""
    assert settings.outbox is not None  # noqa: S101  (its caller looked)
    settings.outbox.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in sorted(settings.outbox.iterdir()):
        box = None
        with contextlib.suppress(OSError):  # one that cannot be read is said when boxes are looked for
            box = _taken(folder, producer, settings, tally)
        if box is None:
            continue
        same = box.producer == producer if fixed else box.producer[:-9] == producer[:-9]
        if same:
            box.begin()
            return box
        box.close()
    for _ in range(_TRIES):
        # Whoever looks for boxes of the dead may take a new one for such, before it is held.
        with contextlib.suppress(BlockingIOError, FileNotFoundError):
            box = _outbox(settings.outbox / os.urandom(6).hex(), producer, settings, tally)
            box.begin()
            return box
    raise BlockingIOError(errno.EAGAIN, f"expected to make a box, got none in {_TRIES} tries", str(settings.outbox))


def _outbox(folder: Path, producer: str, settings: ClientSettings, tally: Tally) -> Outbox:
    # Locks of files are not everywhere: an agent on another system imports this package, and has no outbox.
    from eddie_metrics.outbox import Outbox  # noqa: PLC0415

    return Outbox(folder, producer, settings.outbox_bytes, tally)


def _taken(folder: Path, producer: str, settings: ClientSettings, tally: Tally) -> Outbox | None:
    """Take a box that nobody holds; None where somebody does, or it is none. Raises OSError."""
    if not (folder / "lock").exists():
        return None
    with contextlib.suppress(BlockingIOError, FileNotFoundError):  # held, or taken away in this moment
        return _outbox(folder, producer, settings, tally)
    return None


class Adopting:
    """Looks for boxes of killed processes, and offers one at a time as a line to be sent."""

    def __init__(self, settings: ClientSettings, tally: Tally, once: Once) -> None:
        self._settings = settings
        self._tally = tally
        self._once = once
        self._line: Line | None = None
        self._box: Outbox | None = None
        self._given_up: set[Path] = set()
        self._look = 0.0 if settings.outbox is not None else math.inf

    def again(self) -> float:
        """Answer when to look the next time: steady seconds."""
        return math.inf if self._line is not None else self._look

    def line(self, now: float) -> Line | None:
        """Answer the line of a box that waits for somebody to send it."""
        if self._line is None and now >= self._look:
            self._look = now + LOOK_AGAIN
            try:
                self._line = self._found()
            except OSError as error:
                self._say(self._settings.outbox, error)
        return self._line

    def _found(self) -> Line | None:
        # Its own box is held, by itself: it is passed over like those of the others that live.
        there = self._settings.outbox.iterdir() if self._settings.outbox else ()
        for folder in sorted(there, key=lambda one: (one in self._given_up, one)):
            try:
                line = self._line_of(folder)
            except OSError as error:
                self._say(folder, error)  # and on to the next: one box that cannot be read keeps back no other
                continue
            if line is not None:
                return line
        return None

    def _line_of(self, folder: Path) -> Line | None:
        """Answer the line of a box that nobody holds; where nothing waits in it, take it away. Raises OSError."""
        box = _taken(folder, self._settings.producer, self._settings, self._tally)
        if box is None:
            return None
        if not box.left(folder):
            box.remove()
            return None
        try:
            self._box = box
            return Line(box.producer, box, self._tally)
        except OSError:
            box.close()
            raise

    def _say(self, place: Path | None, error: OSError) -> None:
        self._once(f"adopting {place}", "what killed processes left in %s cannot be read: %s", place, error)

    def empty(self, line: Line) -> None:
        """Take a box away that has nothing left, and look for the next."""
        if line is self._line and self._box is not None:
            self._line = None
            self._look = 0.0
            try:
                self._box.remove()
            except OSError as error:
                self._say(self._box.folder, error)

    def give_up(self, error: OSError) -> None:
        """Let go of a box whose disk refuses; it is tried again later, behind all others."""
        if self._box is not None:
            self._given_up.add(self._box.folder)
            self._say(self._box.folder, error)
        self.close()

    def close(self) -> None:
        """Let go of the box in hand; what waits stays in it."""
        if self._line is not None:
            self._line.store.close()
            self._line = None
