"""The typed words of `make send`: ``name=value`` on a command line becomes a field of the contract's event."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from typing import Any

from eddie_metrics.events import KINDS, Event


class WordsError(ValueError):
    """A kind or field is not the contract's: the message names what there is."""


def event_from(kind: str, words: list[str]) -> dict[str, Any]:
    """Return the event that ``words`` (``name=value``) describe; raises WordsError with every mistake found.

    Types come from the contract: ``chunks=3`` is a number because the contract says int, ``agent_id=3`` stays text.
    Lists are written with commas. Bounds are the exporter's to check: its answer is part of what `make send` shows.
    """
    if kind not in KINDS:
        raise WordsError(f"KIND: expected one of {', '.join(sorted(KINDS))}; got {kind!r}{_meant(kind, list(KINDS))}")
    shapes = typing.get_type_hints(KINDS[kind])
    names = [each.name for each in dataclasses.fields(KINDS[kind])]
    event: dict[str, Any] = {}
    mistakes: list[str] = []
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            mistakes.append(f"expected name=value, got {word!r}")
        elif name not in names:
            mistakes.append(f"{name}: expected one of {', '.join(names)}{_meant(name, names)}")
        elif name in event:
            mistakes.append(f"{name}: expected once, got it twice")
        else:
            try:
                event[name] = _value(text, shapes[name])
            except ValueError as error:
                mistakes.append(f"{name}: {error}")
    missing = [name for name in _needed(KINDS[kind]) if name not in event]
    mistakes += [f"{name}: needed for {kind}, add {name}=…" for name in missing if not mistakes]
    if mistakes:
        raise WordsError("\n".join(f"ARGS: {mistake}" for mistake in mistakes))
    return event


def _needed(shape: type[Event]) -> list[str]:
    nothing = dataclasses.MISSING
    return [
        each.name for each in dataclasses.fields(shape) if each.default is nothing and each.default_factory is nothing
    ]


def _meant(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, 1)
    return f" (did you mean {close[0]}?)" if close else ""


def _value(text: str, shape: Any) -> Any:
    """Turn a word's text into ``shape``; an optional type is taken for what it is besides None."""
    if isinstance(shape, types.UnionType):
        shape = next(each for each in typing.get_args(shape) if each is not types.NoneType)
    if typing.get_origin(shape) is typing.Literal:
        choices = typing.get_args(shape)
        if text not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}; got {text!r}")
        return text
    if typing.get_origin(shape) is list:
        return [part.strip() for part in text.split(",") if part.strip()]
    if shape is str:
        return text
    try:
        return int(text) if shape is int else float(text)
    except ValueError:
        raise ValueError(f"expected {'a whole number' if shape is int else 'a number'}, got {text!r}") from None
