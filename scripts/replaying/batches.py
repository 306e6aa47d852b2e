"""Between the log and its sending: the batches it is cut into, and the small file that says how far a replay came."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eddie_metrics.batch import MOST_BYTES, MOST_EVENTS, new_epoch
from replaying.log import Line, Place, ReplayError, event_of, lines


@dataclass
class Noted:
    """What stands in the file beside the log; lines before ``done`` are answered, ``under_way`` is the batch after."""

    producer: str
    epoch: int
    begins: str
    seq: int = 1
    done: Place = Place()
    counted: int = 0
    rejected: int = 0
    rejected_bytes: int = 0
    under_way: dict[str, Any] | None = None

    @classmethod
    def read(cls, path: Path) -> Noted | None:
        """Read the file; None where there is none. Raises ReplayError for one that is not ours."""
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
            return cls(**{**said, "done": Place(**said["done"])})
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            raise ReplayError(
                f"expected {path} as an earlier replay left it, got {error}; with --again the log is replayed from its"
                " beginning, and whatever arrived of it before counts twice"
            ) from error

    def write(self, path: Path) -> None:
        """Put the file in place whole, on disk before this returns."""
        new = path.with_name(path.name + ".new")
        with new.open("w", encoding="utf-8") as file:
            json.dump(dataclasses.asdict(self), file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)


@dataclass
class Batch:
    """Some lines of the log under one number; ``out`` are those taken out of it, and why."""

    good: list[Line]
    after: Place
    out: list[tuple[Line, str]] = field(default_factory=list)

    def body(self, noted: Noted) -> bytes:
        """Return its bytes, which are the same every time they are made of the same lines."""
        head = {"producer": noted.producer, "epoch": noted.epoch, "seq": noted.seq}
        dropped = b',"dropped":{"refused":%d}' % len(self.out) if self.out else b""
        events = b",".join(line.text for line in self.good)
        return json.dumps(head)[:-1].encode() + b',"events":[' + events + b"]" + dropped + b"}"

    def halved(self) -> Batch:
        """Return its first half."""
        kept = self.good[: len(self.good) // 2]
        after = self.good[len(kept)].at
        return Batch(kept, after, [one for one in self.out if one[0].at.byte < after.byte])

    def without(self, index: int, why: str) -> Batch:
        """Return it with one line taken out."""
        return Batch(self.good[:index] + self.good[index + 1 :], self.after, [*self.out, (self.good[index], why)])


def cut(log: Path, start: Place, end: Place | None = None, known: dict[str, str] | None = None) -> Batch | None:
    """Cut the next batch, or exactly the one up to ``end`` without the lines ``known`` to be refused, by number."""
    batch, size = Batch([], start), 0
    for line in lines(log, start, end):
        if end is None and (len(batch.good) >= MOST_EVENTS or size + len(line.text) > MOST_BYTES) and batch.good:
            break
        batch.after = line.after
        why = (known or {}).get(str(line.at.line))
        if why is not None:
            batch.out.append((line, why))
        elif not line.blank:
            try:
                if known is None:
                    event_of(line.text)
            except ValueError as error:
                batch.out.append((line, str(error)))
            else:
                batch.good.append(line)
                size += len(line.text) + 1
    return batch if batch.after != start else None


def begin(log: Path, producer: str, noted: Noted | None, *, again: bool) -> Noted:
    """Return what to go on from: the earlier replay, or a new one. Raises ReplayError where neither is safe."""
    first = next(lines(log, Place()), None)
    begins = hashlib.sha256(first.text if first else b"").hexdigest()
    if noted is None or again:
        return Noted(producer, new_epoch(noted.epoch if noted else 0), begins)
    if noted.done.byte and (noted.begins != begins or noted.done.byte > log.stat().st_size):
        raise ReplayError(
            f"expected {log} to begin with the {noted.done.line - 1} lines that were replayed of it, got another file:"
            " give it another name, or replay it from its beginning with --again"
        )
    noted.begins = begins
    if noted.producer != producer:
        raise ReplayError(
            f"expected --producer {noted.producer}, which this log was begun with, got {producer}: under another name"
            " what was sent would count twice"
        )
    return noted
