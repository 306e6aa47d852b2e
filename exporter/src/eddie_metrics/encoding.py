"""Between *event out* and *contract*: keyword arguments become one line of JSON, or the reason why not.

All of it happens on the agent's own thread, so it is made once from the contract's dataclasses: a table of what
turns each field into JSON. Words that were checked before are looked up, not checked again.
"""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii
from typing import Any, Literal

from eddie_metrics.errors import InvalidEventError
from eddie_metrics.events import KINDS, TEXT_PATTERN, Event

MOST_WORDS = 8192
"""Words remembered as checked; past it all are checked again, so that task ids without end take no memory."""
_SHOWN = 80
_LATEST = 1e11
"""The bound of ``ts`` in the contract: a clock that is past it is not told of."""

_FRESH = frozenset({"task_id", "chunk_id"})

_good = re.compile(TEXT_PATTERN).match
_words: dict[str, str] = {}

_Encode = Callable[[Any], str]


class _RefusedError(Exception):
    """A value is no good; the argument says what was expected."""


def _text(value: Any) -> str:
    """Answer a string of the contract as JSON."""
    try:
        known = _words.get(value)
    except TypeError:  # unhashable
        known = None
    if known is not None:
        return known
    if not isinstance(value, str):
        raise _RefusedError("a string")
    if not 1 <= len(value) <= 128:
        raise _RefusedError("1 to 128 characters")
    if not _good(value):
        raise _RefusedError("a string without control characters, not beginning with `__`")
    if len(_words) >= MOST_WORDS:
        _words.clear()
    # A subclass, an enumeration's for one, is kept as what it is on the wire.
    plain = str.__str__(value)
    found = _words[plain] = encode_basestring_ascii(plain)
    return found


def _fresh(value: Any) -> str:
    """Answer a string that is new with nearly every event, an id: quick where it is plain, and not remembered."""
    if type(value) is str:
        found = encode_basestring_ascii(value)
        # No longer than with its quotes: nothing in it had to be escaped.
        if 3 <= len(found) == len(value) + 2 <= 130 and not value.startswith("__"):
            return found
    return _text(value)


def _matching(pattern: str) -> _Encode:
    good = re.compile(pattern).match

    def encode(value: Any) -> str:
        if not isinstance(value, str) or not good(value):
            raise _RefusedError("a UUIDv7 in its 36-character form")
        return encode_basestring_ascii(value)

    return encode


def _whole(low: float, high: float) -> _Encode:
    def encode(value: Any) -> str:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise _RefusedError(f"a whole number from {low:.0f} to {high:.0f}")
        return int.__repr__(value)

    return encode


def _number(low: float, high: float) -> _Encode:
    def encode(value: Any) -> str:
        if type(value) is float:
            if low <= value <= high:  # never so for NaN
                return repr(value)
        elif isinstance(value, float):  # a subclass shows itself as it likes
            return encode(float(value))
        elif isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return int.__repr__(value)
        raise _RefusedError(f"a finite number from {low:g} to {high:g}")

    return encode


def _choice(options: tuple[str, ...]) -> _Encode:
    known = {option: encode_basestring_ascii(option) for option in options}

    def encode(value: Any) -> str:
        found = known.get(value) if isinstance(value, str) else None
        if found is None:
            raise _RefusedError(f"one of {', '.join(known)}")
        return found

    return encode


def _texts(most: int) -> _Encode:
    def encode(value: Any) -> str:
        if not isinstance(value, list | tuple) or len(value) > most:
            raise _RefusedError(f"a list of at most {most} strings")
        return f"[{','.join(_text(one) for one in value)}]"

    return encode


def _encoder(name: str, hint: Any, bounds: Mapping[str, Any]) -> _Encode:
    """Answer what turns a field of the type ``hint`` with these ``bounds`` into JSON."""
    if typing.get_origin(hint) is Literal:
        return _choice(typing.get_args(hint))
    if "item" in bounds:
        return _texts(bounds["max_length"])
    if bounds.get("pattern") == TEXT_PATTERN:
        return _fresh if name in _FRESH else _text
    if "pattern" in bounds:
        return _matching(bounds["pattern"])
    kinds = {hint, *typing.get_args(hint)}
    return (_number if float in kinds else _whole)(bounds["ge"], bounds["le"])


class _View:
    """The fields of an event that is not made, for the contract's check between fields."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields

    def __getattr__(self, name: str) -> Any:
        return self._fields.get(name)


@dataclass(frozen=True, slots=True)
class _Plan:
    """How an event of one kind is written: its beginning, its fields' keys and encoders, and what it must have."""

    head: str
    fields: dict[str, tuple[str, _Encode, int]]
    required: tuple[str, ...]
    problem: Callable[[Any], str | None] | None


def _plan(cls: type[Event]) -> _Plan:
    hints = typing.get_type_hints(cls)
    declared = dataclasses.fields(cls)
    required = tuple(one.name for one in declared if one.default is dataclasses.MISSING)
    return _Plan(
        head=f'{{"kind":"{cls.kind}"',
        fields={
            one.name: (f',"{one.name}":', _encoder(one.name, hints[one.name], one.metadata), int(one.name in required))
            for one in declared
        },
        required=required,
        problem=None if cls.problem is Event.problem else cls.problem,
    )


class _Plans(dict[str, _Plan]):
    """Each made for the first event of its kind: an agent that starts waits for none that it never sends."""

    def __missing__(self, kind: str) -> _Plan:
        found = self[kind] = _plan(KINDS[kind])
        return found


_PLANS = _Plans()


def encode(kind: str, fields: dict[str, Any], now: float, agent_id: str | None = None) -> bytes:
    """Write an event of a known ``kind`` as JSON, with ``now`` (seconds since the epoch) as its ``ts`` if it has none.

    ``agent_id`` is put into ``fields`` where these name no agent. A field that is None is left out. Raises
    InvalidEventError.
    """
    if agent_id is not None and fields.get("agent_id") is None:
        fields["agent_id"] = agent_id
    plan = _PLANS[kind]
    known = plan.fields
    said = plan.head
    told = 0
    name = ""
    try:
        for name, value in fields.items():
            if value is not None:
                key, write, needed = known[name]
                said += key
                said += write(value)
                told += needed
    except KeyError:
        raise InvalidEventError(kind, name[:_SHOWN], f"one of {', '.join(plan.fields)}", "another name") from None
    except _RefusedError as error:
        raise InvalidEventError(kind, name, str(error), _shown(fields[name])) from None
    if told < len(plan.required):
        name = next(one for one in plan.required if fields.get(one) is None)
        raise InvalidEventError(kind, name, "this field, which is required", "nothing")
    if plan.problem is not None:
        problem = plan.problem(_View(fields))
        if problem:
            name, _, rest = problem.partition(": expected ")
            raise InvalidEventError(kind, name, *rest.partition(", got ")[::2])
    if fields.get("ts") is None and 0 <= now <= _LATEST:
        return f'{said},"ts":{now:.3f}}}'.encode("ascii")
    return (said + "}").encode("ascii")


def _shown(value: Any) -> str:
    """Show a value without trusting it: a container of an agent's may be large, and its repr may raise."""
    if isinstance(value, str):
        return f"{value[:_SHOWN].encode('unicode_escape').decode('ascii')!r}, {len(value)} characters"
    if isinstance(value, int | float) and (isinstance(value, float) or value.bit_length() < 256):
        return repr(value)
    return f"a value of the type {type(value).__name__}"
