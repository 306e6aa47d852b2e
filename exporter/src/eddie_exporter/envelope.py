"""Between *contract* and *intake*: the client's envelope, which gives a batch of events an identity.

``{"producer", "epoch", "seq", "events", "dropped"?, "contract"?}``: sealed once, the same bytes at every try.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, cast

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from eddie_exporter.decode import ANY, ANY_OPEN, STRUCTS, bounded, check_text, decoded, is_plain
from eddie_exporter.errors import ContractError
from eddie_metrics.events import CONTRACT, TEXT_PATTERN, Event

MAX_REASONS = 100
"""Reasons an envelope's ``dropped`` may name."""
MAX_NUMBER = 2**53 - 1
"""The largest whole number that every sender's language can say."""
_MAX_PART = 256 * 1024
"""Bytes of ``dropped``, or of one event of a newer contract: what is unknown has no bounds of its own to keep it
small in memory, and the largest thing known, an agent-hello, has half of them."""

_Number = Annotated[int, Meta(ge=1, le=MAX_NUMBER)]
_Text = Annotated[str, Meta(min_length=1, max_length=128, extra_json_schema={"pattern": TEXT_PATTERN})]
_Dropped = Annotated[dict[_Text, _Number], Meta(max_length=MAX_REASONS)]


class Envelope(Struct, frozen=True, forbid_unknown_fields=True):
    """A batch with its identity (producer, epoch, seq); sent again it is not counted again."""

    producer: _Text
    epoch: _Number
    seq: _Number
    events: list[ANY]
    dropped: Raw | UnsetType = UNSET
    contract: _Number = 1


class _Open(Struct, frozen=True):
    """The envelope of a newer contract; what is unknown in it is passed over."""

    producer: _Text
    epoch: _Number
    seq: _Number
    events: list[ANY_OPEN]
    dropped: Raw | UnsetType = UNSET
    contract: _Number = 1


class _Parts(Struct, frozen=True):
    """What says whether an envelope is of a newer contract, and where its events lie."""

    events: Raw = Raw(b"[]")
    contract: int = 1


_ENVELOPE = msgspec.json.Decoder(Envelope)
_OPEN = msgspec.json.Decoder(_Open)
_PARTS = msgspec.json.Decoder(_Parts)
_DROPPED = msgspec.json.Decoder(_Dropped)
_RAWS = msgspec.json.Decoder(list[Raw])
_FIELDS = msgspec.json.Decoder(dict[str, Raw])


@dataclass(frozen=True, slots=True)
class Opened:
    """What was in an envelope; ``unknown`` counts fields of a newer contract by kind, ``envelope`` for its own."""

    producer: str
    epoch: int
    seq: int
    events: list[Event]
    dropped: Mapping[str, int]
    unknown: Mapping[str, int]


def _size(raw: Any) -> int:
    return len(memoryview(raw))


def is_envelope(body: bytes) -> bool:
    """Whether the first byte that is not blank opens an object."""
    first = body[:1]
    if first in {b" ", b"\t", b"\r", b"\n"}:
        first = body.lstrip(b" \t\r\n")[:1]
    return first == b"{"


def open_envelope(body: bytes) -> Opened:
    """Decode an envelope. Raises ContractError, TooManyEventsError."""
    plain = is_plain(body)
    unknown: Mapping[str, int] = {}
    found: Any
    try:
        found = decoded(_ENVELOPE.decode, body)
        events = bounded(found.events, plain=plain)
    except ContractError as error:
        if not _is_newer(body):
            raise error from None
        found = decoded(_OPEN.decode, body)
        events = _closed(bounded(found.events, plain=True), plain=plain)
        unknown = _unknown(body, events)
    if not plain:
        check_text(found.producer, None, "producer")
    dropped = {} if found.dropped is UNSET else _dropped(found.dropped, plain=plain)
    return Opened(found.producer, found.epoch, found.seq, events, dropped, unknown)


def _is_newer(body: bytes) -> bool:
    try:
        return bool(decoded(_PARTS.decode, body).contract > CONTRACT)
    except ContractError:
        return False


def _closed(events: list[Any], *, plain: bool) -> list[Event]:
    """Make events of a newer contract those that are known here."""
    made = [
        STRUCTS[one.__struct_config__.tag](**{name: getattr(one, name) for name in one.__struct_fields__})
        for one in events
    ]
    return bounded(made, plain=plain)


def _unknown(body: bytes, events: list[Event]) -> Counter[str]:
    """Count the fields that were passed over, by kind; ``events`` are those of ``body``, known to be good and few."""
    raw = cast("bytes", decoded(_PARTS.decode, body).events)
    around = len(body) - _size(raw)
    if around > _MAX_PART:
        raise ContractError(f"at most {_MAX_PART} bytes around the events", f"{around} bytes")
    found = Counter(envelope=len(decoded(_FIELDS.decode, body).keys() - set(Envelope.__struct_fields__)))
    for index, (event, one) in enumerate(zip(events, decoded(_RAWS.decode, raw), strict=True)):
        if _size(one) > _MAX_PART:
            raise ContractError(f"an event of at most {_MAX_PART} bytes", f"{_size(one)} bytes", index)
        struct = cast("Struct", event)
        known = {"kind", *struct.__struct_fields__}
        found[str(struct.__struct_config__.tag)] += len(decoded(_FIELDS.decode, one).keys() - known)
    return +found


def _dropped(raw: Raw, *, plain: bool) -> dict[str, int]:
    """Decode what the sender had to drop, by reason."""
    if _size(raw) > _MAX_PART:
        raise ContractError(f"at most {MAX_REASONS} reasons", f"{_size(raw)} bytes", field="dropped")
    try:
        found: dict[str, int] = decoded(_DROPPED.decode, cast("bytes", raw))
    except ContractError as error:
        error.field = "dropped"
        raise
    if not plain:
        for reason in found:
            check_text(reason, None, "dropped")
    return found
