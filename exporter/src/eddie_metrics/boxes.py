"""Station *event out*: which box of an outbox a process writes to, and who sends what killed processes left.

An outbox is a folder that all agents of a machine may share; each process holds a box in it.
"""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path

from eddie_metrics.answers import Once
from eddie_metrics.batch import Line, Store, Tally
from eddie_metrics.memory import MemoryStore
from eddie_metrics.outbox import Outbox
from eddie_metrics.settings import ClientSettings, bound

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
        box = _taken(folder, producer, settings, tally)
        if box is None:
            continue
        same = box.producer == producer if fixed else box.producer[:-9] == producer[:-9]
        if same:
            box.begin()
            return box
        box.close()
    while True:
        box = Outbox(settings.outbox / os.urandom(6).hex(), producer, settings.outbox_bytes, tally)
        box.begin()
        return box


def _taken(folder: Path, producer: str, settings: ClientSettings, tally: Tally) -> Outbox | None:
    """Take a box that nobody holds; None where somebody does, or it is none."""
    if not (folder / "lock").exists():
        return None
    with contextlib.suppress(OSError):
        return Outbox(folder, producer, settings.outbox_bytes, tally)
    return None


class Adopting:
    """Looks for boxes of killed processes, and offers one at a time as a line to be sent."""

    def __init__(self, settings: ClientSettings, own: Store, tally: Tally, once: Once) -> None:
        self._settings = settings
        self._own = own
        self._tally = tally
        self._once = once
        self._line: Line | None = None
        self._look = 0.0 if isinstance(own, Outbox) else math.inf

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
                self._once(
                    "adopting", "what killed processes left in %s cannot be read: %s", self._settings.outbox, error
                )
        return self._line

    def _found(self) -> Line | None:
        folders = sorted(self._settings.outbox.iterdir()) if self._settings.outbox else []
        for folder in folders:
            if isinstance(self._own, Outbox) and folder == self._own.folder:
                continue
            if not (folder / "lock").exists() or not Outbox.left(folder):
                continue
            box = _taken(folder, self._settings.producer, self._settings, self._tally)
            if box is None:
                continue
            try:
                return Line(box.producer, box, self._tally)
            except OSError:
                box.close()
                raise
        return None

    def empty(self, line: Line) -> None:
        """Let a box go that has nothing left, and look for the next."""
        if line is self._line:
            self._line = None
            self._look = 0.0
            line.store.close()

    def close(self) -> None:
        """Let go of the box in hand; what waits stays in it."""
        if self._line is not None:
            self._line.store.close()
            self._line = None
