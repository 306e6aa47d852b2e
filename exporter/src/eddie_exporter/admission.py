"""Station *journal*: is a batch new? It is counted whole, or not at all, and never twice."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from eddie_exporter import fold
from eddie_exporter.answers import RefusalError
from eddie_exporter.batch import Batch, Envelope, Taken
from eddie_exporter.journal import Journal
from eddie_exporter.state import State
from eddie_metrics.events import Event

AHEAD_SECONDS = 2 * 3600.0
"""How far an id's time may lie ahead of our clock."""


Admitted = tuple[Taken, Sequence[Event]]
"""What became of a batch, and its events that were counted now."""


def admit(state: State, batch: Batch, journal: Journal | None) -> Admitted:
    """Count what is new of a batch in ``state``; ``journal`` remembers ids (None: ids are not remembered).

    Raises RefusalError (409, 422) before anything has moved.
    """
    if batch.envelope is not None:
        return _enveloped(state, batch, batch.envelope)
    events = batch.events if journal is None else _fresh(state, batch.events, journal)
    fold.apply(state, events, batch.sent)
    return _admitted(state, batch, events)


def _admitted(state: State, batch: Batch, events: Sequence[Event]) -> Admitted:
    duplicates = len(batch.events) - len(events)
    if duplicates:
        state.count("eddie_events_duplicate_total", (), duplicates)
    return Taken(len(events), duplicates), events


def _enveloped(state: State, batch: Batch, envelope: Envelope) -> Admitted:
    lost = state.producers.judge(envelope)
    if lost is None:
        return _admitted(state, batch, ())
    state.producers.take(envelope, state.now)
    if lost:
        state.count("eddie_lost_batches_total", (), lost)
    for reason, dropped in envelope.dropped.items():
        state.count("eddie_client_dropped_events_total", (envelope.producer, reason), dropped)
    for kind, unknown in envelope.unknown.items():
        state.count("eddie_unknown_fields_total", (kind,), unknown)
    fold.apply(state, batch.events, batch.sent)
    return _admitted(state, batch, batch.events)


def _fresh(state: State, events: Sequence[Event], journal: Journal) -> Sequence[Event]:
    """Answer the events that were not counted before, and remember their ids."""
    if all(event.id is None for event in events):
        return events
    now = state.budget.now
    mark = journal.mark(now)
    ids = [None if event.id is None else uuid.UUID(event.id).bytes for event in events]
    for index, one in enumerate(ids):
        if one is not None:
            _in_window(index, int.from_bytes(one[:6], "big") / 1000, mark, now)
    return [event for event, one in zip(events, ids, strict=True) if one is None or journal.remember(one)]


def _in_window(index: int, made: float, mark: float, now: float) -> None:
    """Refuse an id that is too old to be remembered, or so far ahead that its time is no time. Raises RefusalError."""
    where: dict[str, str | int] = {"index": index, "field": "id"}
    if made < mark:
        expected = f"an id made in the last {now - mark:.0f} s: older ones are not remembered; send without an id"
        raise RefusalError(422, "id-old", expected, f"one made {now - made:.0f} s ago", extra=where)
    if made > now + AHEAD_SECONDS:
        expected = f"an id made at most {AHEAD_SECONDS:.0f} s ahead of this clock; set the sender's clock"
        raise RefusalError(422, "id-future", expected, f"one made in {made - now:.0f} s", extra=where)
