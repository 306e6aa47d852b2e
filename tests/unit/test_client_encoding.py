"""Between *event out* and *contract*: what the client lets through the exporter takes, and the other way round."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from eddie_exporter.decode import decode_one
from eddie_exporter.errors import ContractError
from eddie_metrics.encoding import encode
from eddie_metrics.errors import InvalidEventError
from eddie_metrics.events import KINDS

NOW = 1_795_507_882.697

VALUES = some.one_of(
    some.none(),
    some.booleans(),
    some.integers(-2, 2**60),
    some.floats(),
    some.text(max_size=140),
    some.sampled_from(
        ["success", "failure", "timeout", "a", "__b", 'q"uote', "back\\slash", "ü", "𝕏" * 128, "x" * 129]
    ),
    some.lists(some.text(max_size=3), max_size=3),
)


@some.composite
def events(draw: some.DrawFn) -> tuple[str, dict[str, Any]]:
    """Draw a kind and fields of it, good ones and bad ones."""
    kind = draw(some.sampled_from(sorted(KINDS)))
    names = list(KINDS[kind].__dataclass_fields__)
    return kind, draw(some.dictionaries(some.sampled_from(names), VALUES))


@settings(max_examples=1000, deadline=None)
@given(events())
@example(("timeout", {"agent_id": 'a"\\', "reason": "ü", "task_id": 'a"\\'}))
def test_client_and_exporter_refuse_the_same(event: tuple[str, dict[str, Any]]) -> None:
    """An event that the client encodes is one that the exporter decodes; one that it refuses, the exporter does too."""
    kind, fields = event
    try:
        line = encode(kind, fields, NOW)
    except InvalidEventError:
        told = {name: value for name, value in fields.items() if value is not None}
        with pytest.raises((ContractError, ValueError)):
            decode_one(kind, json.dumps(told, allow_nan=False).encode())
    else:
        said = json.loads(line)
        assert said.pop("kind") == kind
        decode_one(kind, json.dumps(said).encode())
        kept = {name: value for name, value in fields.items() if value is not None}
        assert {name: said[name] for name in kept} == kept
        assert said.get("ts") == fields.get("ts", NOW) or fields.get("ts") is None


def test_a_refusal_names_field_expectation_and_what_came() -> None:
    """The agent's author reads one line and knows what to mend."""
    with pytest.raises(
        InvalidEventError, match=r"task-split: chunks: expected a whole number from 1 to 1000000, got 0"
    ):
        encode("task-split", {"task_id": "t", "chunks": 0}, NOW)
    with pytest.raises(
        InvalidEventError, match=r"task-split: chunks: expected this field, which is required, got nothing"
    ):
        encode("task-split", {"task_id": "t"}, NOW)
    with pytest.raises(InvalidEventError, match=r"task-split: chunk: expected one of .*, got another name"):
        encode("task-split", {"task_id": "t", "chunk": 1}, NOW)
    needed = {"task_id": "t", "agent_id": "a", "stage": "s", "seconds": 1, "outcome": "failure"}
    with pytest.raises(InvalidEventError, match=r"reason: expected a reason, because outcome is 'failure'"):
        encode("task-finished", needed, NOW)
