"""One class per boundary; each docstring says what the operator, or the sender, should do."""

from __future__ import annotations

from dataclasses import dataclass


class EddieError(Exception):
    """Something this exporter refuses to do, and says why; catch this to catch them all."""


class SettingsError(EddieError):
    """The settings cannot be used: mend every mistake listed (all are listed together) and start again."""

    def __init__(self, mistakes: list[str]) -> None:
        """Take one sentence per mistake."""
        super().__init__("; ".join(mistakes))
        self.mistakes = mistakes


class TokenFileError(SettingsError):
    """A configured token file is missing, empty or unreadable: make it, or unset its setting; it never fails open."""


class TooManyEventsError(EddieError):
    """A request carried more events than one request may: send them in several requests."""


@dataclass
class ContractError(EddieError):
    """An event breaks the contract: the sender mends ``field`` of event ``index`` and sends again.

    ``index`` is the place in the batch, from 0 (None: the body as a whole, or a single event);
    ``field`` is None when no single field is to blame. Nothing of the request was applied.
    """

    expected: str
    got: str | None = None
    index: int | None = None
    field: str | None = None

    def __str__(self) -> str:
        """Say it in one line."""
        where = "" if self.index is None else f"event {self.index}: "
        what = "" if self.field is None else f"{self.field}: "
        return f"{where}{what}expected {self.expected}" + ("" if self.got is None else f", got {self.got}")

    def as_dict(self) -> dict[str, str | int | None]:
        """Answer what a 422 says in its body."""
        return {"index": self.index, "field": self.field, "expected": self.expected, "got": self.got}


class StoreError(EddieError):
    """The store cannot be used; ``code`` is what the process exits with (sysexits.h)."""

    code = 70


class StoreIOError(StoreError):
    """The disk did not do as told: see to the disk; the exporter starts again and reads what is on it."""


class StoreDataError(StoreError):
    """The store is corrupt, foreign, of a newer version or of other buckets: the message says the way out."""

    code = 65


class StoreBusyError(StoreError):
    """Another exporter has the store: end that one, or give this one a directory of its own."""

    code = 75


class DiskFullError(StoreError):
    """The disk is full: make room; senders hold their events and send them again by themselves."""
