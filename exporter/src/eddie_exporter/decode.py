"""Between *contract* and *intake*: bytes become events, or one ContractError that names index and field.

The msgspec Structs here are derived once from the contract's dataclasses and the bounds in their field
metadata; there is no second definition. Structs because a dataclass decoded by msgspec silently takes
unknown fields.

The one bound that msgspec does not check is TEXT_PATTERN: it calls Python's regular expressions for each string,
half the cost of decoding. What the pattern forbids can be in a string only if one of a few byte sequences is in the
body, and looking for those takes a thousandth; only a body that has one is looked at string by string.
"""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Union, cast

import msgspec

from eddie_exporter.errors import ContractError, TooManyEventsError
from eddie_exporter.wording import TEXT, contract_error, for_json_schema
from eddie_metrics import events
from eddie_metrics.events import KINDS, Event

MAX_EVENTS = 10_000
"""Events a request may carry."""
MAX_BYTES = 8 * 2**20
"""Bytes a request's body may have, after decompression."""

_good = re.compile(events.TEXT_PATTERN).match


def _meta(bounds: dict[str, Any]) -> msgspec.Meta:
    known = {key: value for key, value in bounds.items() if key not in {"item", "pattern"}}
    pattern = bounds.get("pattern")
    if pattern is None:
        return msgspec.Meta(**known)
    if pattern == events.TEXT_PATTERN:
        return msgspec.Meta(**known, extra_json_schema={"pattern": pattern})
    return msgspec.Meta(**known, pattern=pattern)


def _annotated(hint: Any, bounds: dict[str, Any]) -> Any:
    """Answer the type ``hint`` with its bounds as msgspec wants them."""
    if not bounds:
        return hint
    options = [option for option in typing.get_args(hint) if option is not type(None)]
    optional = len(options) == 1 and type(None) in typing.get_args(hint)
    inner: Any = options[0] if optional else hint
    if "item" in bounds:
        item: Any = Annotated[str, _meta(bounds["item"])]
        inner = list[item]
    bounded: Any = Annotated[inner, _meta(bounds)]
    return bounded | None if optional else bounded


def _struct(cls: type[Event], *, closed: bool = True) -> type[msgspec.Struct]:
    """Derive the Struct of one kind: same name, fields, defaults, bounds and cross-field check.

    One that is not ``closed`` passes over unknown fields.
    """
    hints = typing.get_type_hints(cls)
    fields: list[Any] = []
    for one in dataclasses.fields(cls):
        hint = _annotated(hints[one.name], dict(one.metadata))
        required = one.default is dataclasses.MISSING
        fields.append((one.name, hint) if required else (one.name, hint, one.default))

    def __post_init__(self: Any) -> None:  # noqa: N807
        wrong = cls.problem(self)
        if wrong is not None:
            raise ValueError(wrong)

    checks = {"__post_init__": __post_init__} if cls.problem is not Event.problem else {}
    return msgspec.defstruct(
        cls.__name__,
        fields,
        tag_field="kind",
        tag=cls.kind,
        forbid_unknown_fields=closed,
        frozen=True,
        kw_only=True,
        gc=False,  # no event can hold itself; a batch of them set off the collector, which then looked at everything
        namespace={**checks, "__doc__": cls.__doc__},
    )


STRUCTS: dict[str, type[msgspec.Struct]] = {kind: _struct(cls) for kind, cls in KINDS.items()}
"""The Struct of each kind; what decoding yields and what the fold dispatches on."""

ANY: Any = Union[tuple(STRUCTS.values())]  # noqa: UP007
"""An event of any kind, as the field ``kind`` says."""
ANY_OPEN: Any = Union[tuple(_struct(cls, closed=False) for cls in KINDS.values())]  # noqa: UP007
"""The same, but unknown fields are passed over; for events of a newer contract."""
_ONE = {kind: msgspec.json.Decoder(struct) for kind, struct in STRUCTS.items()}
_ARRAY = msgspec.json.Decoder(list[ANY])
_LINES = msgspec.json.Decoder(ANY)


def _with_pattern(cls: type[Event]) -> tuple[str, ...]:
    """Name the fields of a kind that are texts or lists of texts."""
    bounds = {one.name: one.metadata.get("item", one.metadata) for one in dataclasses.fields(cls)}
    return tuple(name for name, meta in bounds.items() if meta.get("pattern") == events.TEXT_PATTERN)


_TEXTS = {STRUCTS[kind]: _with_pattern(cls) for kind, cls in KINDS.items()}


def decoded(decode: Callable[[bytes], Any], body: bytes) -> Any:
    """Call a decoder of msgspec. Raises ContractError for whatever it refuses."""
    try:
        return decode(body)
    except RecursionError:
        raise ContractError("JSON nested less deeply") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise contract_error(error) from None


def is_plain(body: bytes) -> bool:
    """Whether every string of a JSON ``body`` keeps to TEXT_PATTERN by construction.

    The characters below U+0020 stand in JSON only as escapes, which need a backslash, and so do surrogates,
    whose bytes are no UTF-8; U+007F is a byte of its own; U+0080 to U+009F begin with the byte C2; a string with
    leading underscores has them behind its quotation mark.
    """
    return not (b"\\" in body or b"\x7f" in body or b"\xc2" in body or b'"__' in body)


def check_text(text: str, index: int | None, name: str) -> None:
    """Raise ContractError when a string breaks TEXT_PATTERN."""
    if not _good(text):
        raise ContractError(TEXT, None, index, name)


def _check_event(event: Any, index: int | None) -> None:
    for name in _TEXTS[type(event)]:
        found = getattr(event, name)
        if isinstance(found, str):
            check_text(found, index, name)
        elif found is not None:
            for one in found:
                check_text(one, index, name)


def bounded(found: Sequence[Any], *, plain: bool) -> list[Event]:
    """Answer decoded events if they are not too many and, where the body was not ``plain``, their strings are good.

    Raises ContractError, TooManyEventsError.
    """
    if len(found) > MAX_EVENTS:
        raise TooManyEventsError(
            f"expected at most {MAX_EVENTS} events in a request, got {len(found)}; send them in several"
        )
    if not plain:
        for index, event in enumerate(found):
            _check_event(event, index)
    return cast("list[Event]", found)


def decode_one(kind: str, body: bytes) -> Event:
    """Decode the body of one event of a known ``kind``; its own field ``kind`` may be left out.

    Raises ContractError when the body is no JSON or breaks the contract, KeyError for an unknown kind.
    """
    try:
        event = decoded(_ONE[kind].decode, body)
    except ContractError as error:
        if error.field == "kind":
            error.expected = f"{kind!r}, as in the path, or no kind"
        raise
    if not is_plain(body):
        _check_event(event, None)
    return cast("Event", event)


def decode_array(body: bytes) -> list[Event]:
    """Decode a JSON array of events, each with its ``kind``. Raises ContractError, TooManyEventsError."""
    return bounded(decoded(_ARRAY.decode, body), plain=is_plain(body))


def decode_ndjson(body: bytes) -> list[Event]:
    """Decode one event a line; empty lines are passed over. Raises ContractError, TooManyEventsError."""
    return bounded(decoded(_LINES.decode_lines, body), plain=is_plain(body))


def build(kind: str, fields: Mapping[str, object]) -> Event:
    """Make an event from keyword arguments under the same checks as from JSON. Raises ContractError."""
    try:
        event = msgspec.convert(fields, STRUCTS[kind])
    except msgspec.ValidationError as error:
        raise contract_error(error) from None
    _check_event(event, None)
    return cast("Event", event)


def openapi_schema(ref_template: str = "#/components/schemas/{name}") -> tuple[dict[str, Any], dict[str, Any]]:
    """Answer (schema of each kind's body by kind, components) for the OpenAPI document."""
    refs, components = msgspec.json.schema_components(list(STRUCTS.values()), ref_template=ref_template)
    return dict(zip(STRUCTS, refs, strict=True)), for_json_schema(components)
