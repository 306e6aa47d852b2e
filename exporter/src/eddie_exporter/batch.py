"""Between *intake* and *journal*: one request's events with the identity it came with, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from eddie_metrics.events import Event


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sent a batch, and the place it has among that sender's batches.

    ``checksum``: 16 bytes of BLAKE2b over the decompressed body. ``oldest``: the lowest seq the sender still holds.
    ``dropped``: events the sender had to drop, by reason. ``unknown``: fields passed over, by kind.
    """

    producer: str
    epoch: int
    seq: int
    checksum: bytes
    oldest: int | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)
    unknown: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one request asks to be counted, whole or not at all.

    ``size`` in bytes bounds the queue; ``sent`` is the sender's clock in seconds since the epoch, where it told it.
    Without an ``envelope`` each event's ``id`` makes a retry recognisable.
    """

    events: Sequence[Event]
    size: int
    sent: float | None = None
    envelope: Envelope | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch: events counted now, and events that had been counted before."""

    accepted: int
    duplicates: int
