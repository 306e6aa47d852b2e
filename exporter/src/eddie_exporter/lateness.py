"""Station *count*: when the events happened that come late now, so that an alert can name the span of a replay.

Not in the store: after a restart the span begins again with the next late event. How many came late is kept.
"""

from __future__ import annotations

SPAN_SECONDS = 900.0
"""Late events with pauses shorter than this between them are one span; after it there is none."""


class Lateness:
    """The oldest and the newest time of the late events of one span, in seconds since the epoch."""

    def __init__(self) -> None:
        """Begin without a span."""
        self._oldest = self._newest = self._heard = 0.0

    def note(self, happened: float, now: float) -> None:
        """Take a late event that ``happened`` then; ``now`` by the steady clock."""
        if self.span(now) == (0.0, 0.0):
            self._oldest = self._newest = happened
        else:
            self._oldest, self._newest = min(self._oldest, happened), max(self._newest, happened)
        self._heard = now

    def span(self, now: float) -> tuple[float, float]:
        """Answer the times of the oldest and the newest, or zeros where none came lately."""
        if self._newest == 0 or now - self._heard > SPAN_SECONDS:
            return 0.0, 0.0
        return self._oldest, self._newest
