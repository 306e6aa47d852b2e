"""Station *journal*: who sent a batch, and was it counted before? (producer, epoch, seq) is its identity.

An epoch's batches come in the order 1, 2, 3 …; the last one's checksum is kept, so that the same identity with
other content is told from a retry. Not thread-safe by itself.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from eddie_exporter.answers import RefusalError
from eddie_exporter.batch import Envelope
from eddie_exporter.tables import Row, Table

EPOCHS = 64
"""Epochs of a producer that are remembered, the newest."""
PRODUCERS = 100_000
"""Producers remembered; past it the longest idle is forgotten."""
IDLE_SECONDS = 30 * 86_400.0
"""Silence after which a producer is forgotten."""


@dataclass(slots=True)
class Epoch:
    """How far an epoch of a producer has come."""

    seq: int
    checksum: bytes
    number: int = 0


@dataclass(slots=True)
class Producer:
    """A producer: when it was last heard (steady seconds), and its epochs."""

    heard: float
    epochs: dict[int, Epoch] = field(default_factory=dict)


class Producers:
    """Every producer that is remembered, the longest idle first."""

    def __init__(self, table: Table) -> None:
        """Begin with nobody."""
        self._producers: OrderedDict[str, Producer] = OrderedDict()
        self._table = table

    def judge(self, envelope: Envelope) -> int | None:
        """Answer how many batches before this one are lost for good (usually 0), None for one counted before.

        Raises RefusalError 409: ``gap`` (batches are missing that the sender still holds), ``conflict`` (another
        content under the same identity), ``expired`` (an epoch older than those remembered).
        """
        producer = self._producers.get(envelope.producer)
        epochs = producer.epochs if producer else {}
        epoch = epochs.get(envelope.epoch)
        if epoch is None and len(epochs) >= EPOCHS and envelope.epoch < min(epochs):
            raise RefusalError(409, "expired", f"one of the newest {EPOCHS} epochs of this producer; begin a new epoch")
        last = 0 if epoch is None else epoch.seq
        if epoch is not None and envelope.seq == last and envelope.checksum != epoch.checksum:
            raise RefusalError(409, "conflict", "the same bytes under the same producer, epoch and seq")
        if envelope.seq <= last:
            return None
        missing = envelope.seq - last - 1
        if missing and envelope.oldest != envelope.seq:
            raise RefusalError(409, "gap", "", str(envelope.seq), extra={"expected": last + 1})
        return missing

    def take(self, envelope: Envelope, now: float) -> None:
        """Note that a batch was counted (ask ``judge`` first)."""
        producer = self._producers.setdefault(envelope.producer, Producer(now))
        producer.heard = now
        self._producers.move_to_end(envelope.producer)
        epoch = producer.epochs.get(envelope.epoch)
        if epoch is None:
            epoch = producer.epochs[envelope.epoch] = Epoch(0, b"")
            if len(producer.epochs) > EPOCHS:
                self._table.drop(producer.epochs.pop(min(producer.epochs)).number)
        epoch.seq = envelope.seq
        epoch.checksum = envelope.checksum
        row = (envelope.producer, envelope.epoch, envelope.seq, envelope.checksum, now)
        epoch.number = self._table.put(epoch.number, row)

    def tidy(self, now: float) -> list[str]:
        """Forget, and answer, producers that are idle for long, and the longest idle past what is kept."""
        gone = []
        while self._producers:
            name, producer = next(iter(self._producers.items()))
            if producer.heard >= now - IDLE_SECONDS and len(self._producers) <= PRODUCERS:
                break
            for epoch in self._producers.pop(name).epochs.values():
                self._table.drop(epoch.number)
            gone.append(name)
        return gone

    def restore(self, number: int, row: Row) -> None:
        """Take back an epoch; call ``restored`` after the last."""
        name, epoch, seq, checksum, heard = row
        producer = self._producers.setdefault(name, Producer(heard))
        producer.heard = max(producer.heard, heard)
        producer.epochs[epoch] = Epoch(seq, checksum, number)

    def restored(self) -> None:
        """Bring everybody into the order in which they were heard."""
        for name, _ in sorted(self._producers.items(), key=lambda item: item[1].heard):
            self._producers.move_to_end(name)
