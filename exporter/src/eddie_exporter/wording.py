"""Between *contract* and *intake*: msgspec's words about a broken event, turned into index, field, expected and got."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from eddie_exporter.errors import ContractError
from eddie_metrics import events
from eddie_metrics.events import KINDS

TEXT = "a string without control characters, not beginning with `__`"
"""What a string that is no good should have been."""
_JSON_SCHEMA_PATTERN = {
    events.TEXT_PATTERN: "^(?!__)[^\\u0000-\\u001f\\u007f-\\u009f]+$",  # surrogates cannot be in UTF-8
    events.UUID7_PATTERN: events.UUID7_PATTERN.replace("\\Z", "$"),
}
_ID = "a UUIDv7 in its 36-character form"

# The events of an envelope lie in a field of their own; their place is counted as in a bare array.
_PLACE = re.compile(
    r" - at (?:`key` in )?`\$(?:\.events(?=\[\d))?(?:\[(\d+)\])?(?:\.([A-Za-z_]+))?(?:\[\.\.\.\]|\[\d+\])?(?:\.\.\.)?`$"
)
_Said = tuple[str, str | None, str | None]


def short(text: str) -> str:
    """Keep at most 80 characters of what a sender wrote, escaped."""
    return text[:80].encode("unicode_escape").decode("ascii")


def _said_kind(found: re.Match[str], _: str | None) -> _Said:
    return f"one of {', '.join(KINDS)}", found[1] and short(found[1]), "kind"


def _said_pattern(_: re.Match[str], name: str | None) -> _Said:
    return _ID if name == "id" else TEXT, None, name


_WORDS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], str | None], _Said]], ...] = (
    (
        re.compile(r"Object missing required field `(\w+)`"),
        lambda found, _: ("this field, which is required", "nothing", found[1]),
    ),
    (
        re.compile(r"Object contains unknown field `(.*)`", re.DOTALL),
        lambda found, _: ("no field of this name", None, short(found[1])),
    ),
    (re.compile(r"Invalid value (.*)", re.DOTALL), _said_kind),
    (
        re.compile(r"Invalid enum value (.*)", re.DOTALL),
        lambda found, name: ("success, failure or timeout", short(found[1]), name),
    ),
    (re.compile(r"Expected `str` matching regex"), _said_pattern),
    (re.compile(r"Expected (.*?)(?:, got (.*))?$", re.DOTALL), lambda found, name: (found[1], found[2], name)),
    # The contract's own words between fields.
    (re.compile(r"(\w+): expected (.*?)(?:, got (.*))?$", re.DOTALL), lambda found, _: (found[2], found[3], found[1])),
    (
        re.compile(r"(.*)", re.DOTALL),
        lambda found, name: ("a value inside the contract's bounds", short(found[1]), name),
    ),
)
"""What msgspec may say, most telling first, and what we make of it: expected, got, field."""


def contract_error(error: Exception) -> ContractError:
    """Turn what msgspec raised, or the decoding of UTF-8, into our own refusal."""
    if not isinstance(error, msgspec.ValidationError):
        return ContractError(f"well-formed JSON in UTF-8 without lone surrogates ({short(str(error))})")
    text = str(error)
    place = _PLACE.search(text)
    text = text[: place.start()] if place else text
    index = int(place[1]) if place and place[1] else None
    name = place[2] if place else None
    expected, got, blamed = next(say(found, name) for words, say in _WORDS if (found := words.match(text)))
    return ContractError(expected, got, index, blamed)


def for_json_schema(schema: Any) -> Any:
    """Say each pattern of the contract in the dialect of JSON Schema, which knows no end-of-string but ``$``."""
    if isinstance(schema, dict):
        return {
            key: _JSON_SCHEMA_PATTERN.get(value, value) if key == "pattern" else for_json_schema(value)
            for key, value in schema.items()
        }
    return [for_json_schema(one) for one in schema] if isinstance(schema, list) else schema
