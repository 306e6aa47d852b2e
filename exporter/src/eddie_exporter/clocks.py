"""Station *count*: a clock that never jumps, for leases and silence, whatever somebody does to the machine's."""

from __future__ import annotations

import time


class Steady:
    """Seconds since the epoch at its start, and from there on as many as really went by."""

    def __init__(self, start: float) -> None:
        """``start``: what it says now."""
        self._offset = start - time.monotonic()

    def __call__(self) -> float:
        """Answer the time."""
        return self._offset + time.monotonic()

    @classmethod
    def resumed(cls, steady: float | None, wall: float | None, now: float) -> Steady:
        """Go on from where a process stopped that said ``steady`` when the machine's clock said ``wall``.

        The time in between is the machine clock's word, but never negative.
        """
        return cls(now if steady is None or wall is None else steady + max(0.0, now - wall))
