"""Station *event out*: what each answer of the exporter means for the batch that was sent (design, section 4)."""

from __future__ import annotations

import json
import logging
import os
from collections import deque
from dataclasses import dataclass
from typing import Any

from eddie_metrics.batch import Head, Line
from eddie_metrics.wire import Reply

AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504, 507})
"""Answers that say nothing against the batch: the same again, later."""
MINUTE = 60.0
"""Seconds between two tries while a person has to mend something: a token, an address."""
FIRST_WAIT, LONGEST_WAIT = 0.25, 30.0
"""Seconds; the bound of the pause after the first failure, and where it stops doubling."""
KEPT_REJECTED = 1000
_ENVELOPE = frozenset({"producer", "epoch", "seq", "contract", "Eddie-Sent", "Eddie-Oldest"})

log = logging.getLogger("eddie_metrics")


class Once:
    """Logs each kind of fault once."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def __call__(self, fault: str, message: str, *args: object, level: int = logging.WARNING) -> None:
        """Log ``message`` unless this ``fault`` was logged before."""
        if fault not in self._said:
            self._said.add(fault)  # before the log: a handler that records must not come back here
            log.log(level, message, *args)


@dataclass(frozen=True, slots=True)
class Rejected:
    """An event that the exporter refused, and why."""

    event: dict[str, Any]
    field: str | None
    expected: str
    got: str | None


class Answers:
    """Settles heads by the answers they got; ``rejected`` keeps the last refused events."""

    def __init__(self, once: Once) -> None:
        self.rejected: deque[Rejected] = deque(maxlen=KEPT_REJECTED)
        self.once = once

    def pause(self, line: Line, asked: float | None = None) -> float:
        """Answer the seconds to the next try: full jitter below a bound that doubles, on top of what was asked."""
        bound = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(line.failed, 16))
        line.failed += 1
        return (asked or 0.0) + _between(0.0, bound)

    def settle(self, line: Line, head: Head, reply: Reply) -> float:
        """Do what the answer asks, and answer the seconds to the next try, 0 for at once. Raises OSError."""
        said = reply.said()
        if reply.status == 202 and "accepted" in said:
            line.failed = 0
            line.accepted()
            return 0.0
        if reply.status in AGAIN:
            self.once(f"status {reply.status}", "the exporter answers %d: events wait (%s)", reply.status, _why(said))
            return self.pause(line, reply.retry_after)
        if reply.status == 413:
            return self._too_large(line, head)
        if reply.status == 422 and said.get("error") and said.get("field") not in _ENVELOPE:
            return self._refused(line, head, said)
        if reply.status == 409:
            return self._out_of_order(line, head, said)
        self.once(
            f"status {reply.status}",
            "the exporter answers %d: events are kept, asked again every minute; see to the token, EDDIE_URL (%s)",
            reply.status,
            _why(said) or reply.body[:200],
        )
        return max(reply.retry_after or 0.0, MINUTE) * _between(1.0, 1.1)

    def _too_large(self, line: Line, head: Head) -> float:
        if len(head.lines) > 1:
            line.halve()
        elif head.lines:
            self._reject(line, 0, {"error": "too-large", "expected": "an event that one request can carry"})
        else:
            return self._empty(line, head)
        return 0.0

    def _refused(self, line: Line, head: Head, said: dict[str, Any]) -> float:
        place = said.get("index")
        if said.get("field") == "dropped" or not head.lines:
            return self._empty(line, head)
        if isinstance(place, int) and not isinstance(place, bool) and 0 <= place < len(head.lines):
            self._reject(line, place, said)
        elif len(head.lines) > 1:
            line.halve()  # it names none: look for it
        else:
            self._reject(line, 0, said)
        return 0.0

    def _empty(self, line: Line, head: Head) -> float:
        """Take out what is told of drops; where even an empty batch is refused, a person has to see to it."""
        if not head.dropped:
            self.once("empty", "the exporter refuses a batch without events; asked again every minute")
            return MINUTE
        self.once("dropped", "the exporter refuses what is told of dropped events: %s", head.dropped)
        line.tell_nothing()
        return 0.0

    def _reject(self, line: Line, place: int, said: dict[str, Any]) -> None:
        word = "too-large" if said.get("error") == "too-large" else "refused"
        event = json.loads(line.take_out(place, word))
        one = Rejected(event, said.get("field"), str(said.get("expected")), said.get("got"))
        self.rejected.append(one)
        kind, got = event.get("kind"), one.got
        self.once(
            f"refused {kind} {one.field} {one.expected}",
            "the exporter refuses a %s: %s: expected %s, got %s; it was taken out and counted, like any more of these",
            *(kind, one.field, one.expected, got),
        )

    def _out_of_order(self, line: Line, head: Head, said: dict[str, Any]) -> float:
        """Go on after a gap, since nothing before the head is held any more; else open a new epoch, aloud."""
        word = said.get("error")
        if word == "gap" and line.gaps == head.seq:
            word = "gap that stays"
        elif word == "gap":
            line.gaps = head.seq
            self.once("gap", "the exporter misses batches from %s on, which were acknowledged", said.get("expected"))
            return self.pause(line)
        log.warning(
            "the exporter answers 409 %s to batch %d of epoch %d: it is sent again in a new epoch",
            *(word, head.seq, head.epoch),
        )
        line.begin_again()
        return self.pause(line)


def _between(low: float, high: float) -> float:
    """Draw a number; not from the module `random`: an agent that seeds it would make a fleet come back in step."""
    return low + (high - low) * int.from_bytes(os.urandom(4)) / 2**32


def _why(said: dict[str, Any]) -> str:
    return ", ".join(f"{key} {said[key]}" for key in ("error", "expected", "got") if said.get(key) is not None)
