"""The event log: one event of the contract a line (NDJSON), read from any place, each line judged before it is used."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eddie_metrics.encoding import encode
from eddie_metrics.errors import ClientError
from eddie_metrics.events import KINDS


class ReplayError(Exception):
    """The replay cannot go on: the message says what was expected, what was got and what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a line begins: its number, from 1, and its first byte."""

    line: int = 1
    byte: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the log without its end; ``after`` is where the next begins."""

    at: Place
    after: Place
    text: bytes

    @property
    def blank(self) -> bool:
        """Whether there is nothing in it."""
        return not self.text.strip()


def lines(log: Path, start: Place, end: Place | None = None) -> Iterator[Line]:
    """Yield the lines from ``start`` to before ``end``; a last line that nobody ended yet is none. Raises OSError."""
    with log.open("rb") as file:
        file.seek(start.byte)
        at = start
        for raw in file:
            if (end is not None and at.byte >= end.byte) or not raw.endswith(b"\n"):
                return
            after = Place(at.line + 1, at.byte + len(raw))
            yield Line(at, after, raw.rstrip(b"\r\n"))
            at = after


def _no_constant(word: str) -> Any:
    raise ValueError(f"expected a finite number, got {word}")


def event_of(text: bytes) -> dict[str, Any]:
    """Return a line's event if it keeps to the contract. Raises ValueError with what was expected, and what was got."""
    try:
        said = json.loads(text.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise ValueError(f"expected UTF-8, {error.reason} at byte {error.start}") from None
    except RecursionError:
        raise ValueError("expected JSON nested less deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"expected JSON, {error.msg} at character {error.pos + 1}") from None
    if not isinstance(said, dict):
        raise ValueError(f"expected an object, got {type(said).__name__}")  # noqa: TRY004 - the line's value, not ours
    kind = said.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"kind: expected one of {', '.join(KINDS)}, got {json.dumps(kind)[:80]}")
    try:
        encode(kind, {name: value for name, value in said.items() if name != "kind"}, 0.0)
    except ClientError as error:
        raise ValueError(str(error)) from None
    return said


@dataclass
class Refusals:
    """The lines that were refused, kept in a file so that they can be mended and replayed on their own."""

    path: Path
    count: int = 0

    def back_to(self, size: int) -> None:
        """Forget what was written after ``size`` bytes: by a run that was broken off before it noted so."""
        with contextlib.suppress(FileNotFoundError):
            if self.path.stat().st_size > size:
                with self.path.open("r+b") as file:
                    file.truncate(size)

    def keep(self, refused: list[tuple[Line, str]]) -> int:
        """Append each line with its number and why; return the file's size now."""
        self.count += len(refused)
        if refused:
            with self.path.open("ab") as file:
                for line, why in sorted(refused, key=lambda one: one[0].at.line):
                    text = line.text.decode("utf-8", "replace")
                    row = {"line": line.at.line, "why": why, "text": text}
                    file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        return self.path.stat().st_size if self.path.exists() else 0
