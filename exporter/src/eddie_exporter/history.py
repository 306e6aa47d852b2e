"""The last events and notifications, in memory, for the summary: bounded in number and forgotten by age."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec

from eddie_metrics.events import Event


class History:
    """The last ``most`` events and as many notifications, none older than ``seconds``."""

    def __init__(self, most: int, seconds: float) -> None:
        """Begin empty."""
        self._most = most
        self._events: deque[tuple[float, Event]] = deque(maxlen=most)
        self._notifications: deque[tuple[float, dict[str, Any]]] = deque(maxlen=most)
        self._seconds = seconds

    def add_events(self, events: Sequence[Event], now: float) -> None:
        """Keep events that were counted at ``now``."""
        self._events.extend((now, event) for event in events[-self._most :])

    def add_told(self, told: Sequence[tuple[float, Event]]) -> None:
        """Keep events, each counted at its own time."""
        self._events.extend(told)

    def add_notification(self, record: dict[str, Any], now: float) -> None:
        """Keep what a notification said."""
        self._notifications.append((now, record))

    def tidy(self, now: float) -> None:
        """Forget what is too old."""
        for kept in (self._events, self._notifications):
            while kept and kept[0][0] < now - self._seconds:
                kept.popleft()

    def events(self) -> list[dict[str, Any]]:
        """Answer the events, newest last: ``kind``, ``at`` (our clock, seconds) and the fields that were told."""
        return [_told(event, at) for at, event in list(self._events)]

    def notifications(self) -> list[dict[str, Any]]:
        """Answer the notifications, newest last, each with ``at``."""
        return [{"at": at, **record} for at, record in list(self._notifications)]


def _told(event: Event, at: float) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(event)
    if event.ts is not None:
        fields["ts"] = min(event.ts, at)
    return {
        "kind": fields.pop("kind"),
        "at": at,
        **{name: value for name, value in fields.items() if value is not None},
    }
