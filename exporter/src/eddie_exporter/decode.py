"""Between *contract* and *intake*: bytes become events, or one ContractError that names index and field.

The msgspec Structs here are derived once from the contract's dataclasses and the bounds in their field
metadata; there is no second definition. Structs because a dataclass decoded by msgspec silently takes
unknown fields.
"""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Union, cast

import msgspec

from eddie_exporter.errors import ContractError, TooManyEventsError
from eddie_metrics import events
from eddie_metrics.events import KINDS, Event

MAX_EVENTS = 10_000
"""Events a request may carry."""
MAX_BYTES = 8 * 2**20
"""Bytes a request's body may have, after decompression."""

_JSON_SCHEMA_PATTERN = {
    events.TEXT_PATTERN: "^(?!__)[^\\u0000-\\u001f\\u007f-\\u009f]+$",  # surrogates cannot be in UTF-8
    events.UUID7_PATTERN: events.UUID7_PATTERN.replace("\\Z", "$"),
}
_EXPECTED_PATTERN = {
    events.TEXT_PATTERN: "a string without control characters, not beginning with `__`",
    events.UUID7_PATTERN: "a UUIDv7 in its 36-character form",
}


def _meta(bounds: dict[str, Any]) -> msgspec.Meta:
    return msgspec.Meta(**{key: value for key, value in bounds.items() if key != "item"})


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


def _struct(cls: type[Event]) -> type[msgspec.Struct]:
    """Derive the Struct of one kind: same name, fields, defaults, bounds and cross-field check."""
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
        forbid_unknown_fields=True,
        frozen=True,
        kw_only=True,
        namespace={**checks, "__doc__": cls.__doc__},
    )


STRUCTS: dict[str, type[msgspec.Struct]] = {kind: _struct(cls) for kind, cls in KINDS.items()}
"""The Struct of each kind; what decoding yields and what the fold dispatches on."""

_ANY: Any = Union[tuple(STRUCTS.values())]  # noqa: UP007
_ONE = {kind: msgspec.json.Decoder(struct) for kind, struct in STRUCTS.items()}
_ARRAY = msgspec.json.Decoder(list[_ANY])
_LINES = msgspec.json.Decoder(_ANY)

_PLACE = re.compile(r" - at `\$(?:\[(\d+)\])?(?:\.([A-Za-z_]+))?(?:\[\.\.\.\]|\[\d+\])?(?:\.\.\.)?`$")
_Said = tuple[str, str | None, str | None]


def _said_kind(found: re.Match[str], _: str | None) -> _Said:
    return f"one of {', '.join(KINDS)}", found[1] and _short(found[1]), "kind"


def _said_pattern(_: re.Match[str], name: str | None) -> _Said:
    return _EXPECTED_PATTERN[events.UUID7_PATTERN if name == "id" else events.TEXT_PATTERN], None, name


_WORDS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], str | None], _Said]], ...] = (
    (
        re.compile(r"Object missing required field `(\w+)`"),
        lambda found, _: ("this field, which is required", "nothing", found[1]),
    ),
    (
        re.compile(r"Object contains unknown field `(.*)`", re.DOTALL),
        lambda found, _: ("no field of this name", None, _short(found[1])),
    ),
    (re.compile(r"Invalid value (.*)", re.DOTALL), _said_kind),
    (
        re.compile(r"Invalid enum value (.*)", re.DOTALL),
        lambda found, name: ("success, failure or timeout", _short(found[1]), name),
    ),
    (re.compile(r"Expected `str` matching regex"), _said_pattern),
    (re.compile(r"Expected (.*?)(?:, got (.*))?$", re.DOTALL), lambda found, name: (found[1], found[2], name)),
    # The contract's own words between fields.
    (re.compile(r"(\w+): expected (.*?)(?:, got (.*))?$", re.DOTALL), lambda found, _: (found[2], found[3], found[1])),
    (
        re.compile(r"(.*)", re.DOTALL),
        lambda found, name: ("a value inside the contract's bounds", _short(found[1]), name),
    ),
)
"""What msgspec may say, most telling first, and what we make of it: expected, got, field."""


def _contract_error(error: Exception) -> ContractError:
    """Turn msgspec's words into index, field, expected and got."""
    if not isinstance(error, msgspec.ValidationError):
        return ContractError(f"well-formed JSON in UTF-8 without lone surrogates ({_short(str(error))})")
    text = str(error)
    place = _PLACE.search(text)
    text = text[: place.start()] if place else text
    index = int(place[1]) if place and place[1] else None
    name = place[2] if place else None
    expected, got, blamed = next(say(found, name) for words, say in _WORDS if (found := words.match(text)))
    return ContractError(expected, got, index, blamed)


def _short(text: str) -> str:
    """Keep at most 80 characters of what a sender wrote, escaped."""
    return text[:80].encode("unicode_escape").decode("ascii")


def _decode(decode: Callable[[bytes], Any], body: bytes) -> Any:
    try:
        return decode(body)
    except RecursionError:
        raise ContractError("JSON nested less deeply") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _contract_error(error) from None


def _bounded(found: Sequence[Any]) -> list[Event]:
    if len(found) > MAX_EVENTS:
        raise TooManyEventsError(
            f"expected at most {MAX_EVENTS} events in a request, got {len(found)}; send them in several"
        )
    return cast("list[Event]", found)


def decode_one(kind: str, body: bytes) -> Event:
    """Decode the body of one event of a known ``kind``; its own field ``kind`` may be left out.

    Raises ContractError when the body is no JSON or breaks the contract, KeyError for an unknown kind.
    """
    try:
        return cast("Event", _decode(_ONE[kind].decode, body))
    except ContractError as error:
        if error.field == "kind":
            error.expected = f"{kind!r}, as in the path, or no kind"
        raise


def decode_array(body: bytes) -> list[Event]:
    """Decode a JSON array of events, each with its ``kind``. Raises ContractError, TooManyEventsError."""
    return _bounded(_decode(_ARRAY.decode, body))


def decode_ndjson(body: bytes) -> list[Event]:
    """Decode one event a line; empty lines are passed over. Raises ContractError, TooManyEventsError."""
    return _bounded(_decode(_LINES.decode_lines, body))


def build(kind: str, fields: dict[str, Any]) -> Event:
    """Make an event from keyword arguments under the same checks as from JSON. Raises ContractError."""
    try:
        return cast("Event", msgspec.convert(fields, STRUCTS[kind]))
    except msgspec.ValidationError as error:
        raise _contract_error(error) from None


def openapi_schema(ref_template: str = "#/components/schemas/{name}") -> tuple[dict[str, Any], dict[str, Any]]:
    """Answer (schema of each kind's body by kind, components) for the OpenAPI document."""
    refs, components = msgspec.json.schema_components(list(STRUCTS.values()), ref_template=ref_template)
    return dict(zip(STRUCTS, refs, strict=True)), _for_json_schema(components)


def _for_json_schema(schema: Any) -> Any:
    """Say each pattern in the dialect of JSON Schema, which knows no end-of-string but ``$``."""
    if isinstance(schema, dict):
        return {
            key: _JSON_SCHEMA_PATTERN.get(value, value) if key == "pattern" else _for_json_schema(value)
            for key, value in schema.items()
        }
    return [_for_json_schema(one) for one in schema] if isinstance(schema, list) else schema
