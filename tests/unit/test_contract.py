"""Station contract and decoder: what an event may say, and how a refusal names what is wrong."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from eddie_exporter import decode
from eddie_exporter.catalogue import BY_NAME
from eddie_exporter.errors import ContractError, TooManyEventsError
from eddie_metrics import events

GOOD: dict[str, dict[str, Any]] = {
    "task-split": {"task_id": "t1", "chunks": 4, "depth": 1, "stage": "plan"},
    "timeout": {"agent_id": "a1", "reason": "deadline", "stage": "plan", "task_id": "t1"},
    "chunk-started": {"chunk_id": "c1", "agent_id": "a1", "task_id": "t1", "lease_seconds": 60},
    "chunk-execution": {"agent_id": "a1", "seconds": 2.5, "outcome": "timeout", "chunk_id": "c1", "tokens_in": 7},
    "merge-deduplication": {"chunks": 3, "duplicates": 1, "task_id": "t1"},
    "docker-resource-allocation": {"container_id": "box", "cpu_limit": 0.5, "memory_limit_bytes": 0},
    "task-started": {"task_id": "t1", "agent_id": "a1", "stage": "plan"},
    "task-finished": {"task_id": "t1", "agent_id": "a1", "stage": "plan", "seconds": 3, "outcome": "success"},
    "fallback-depth-exceeded": {},
    "agent-hello": {"agent_id": "a1", "language": "python", "stages": ["plan"], "reasons": ["deadline"]},
}


def refused(kind: str, /, **fields: Any) -> ContractError:
    """Answer the refusal of a good event in which ``fields`` were changed."""
    with pytest.raises(ContractError) as caught:
        decode.decode_one(kind, json.dumps({**GOOD[kind], **fields}).encode())
    return caught.value


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_event_of_each_kind_is_taken(kind: str) -> None:
    """Each kind of the contract decodes, alone and in a batch, to the same event."""
    alone = decode.decode_one(kind, json.dumps(GOOD[kind]).encode())
    [in_batch] = decode.decode_array(json.dumps([{"kind": kind, **GOOD[kind]}]).encode())
    assert alone == in_batch
    assert decode.build(kind, GOOD[kind]) == alone


@pytest.mark.parametrize("kind", GOOD)
def test_an_unknown_field_is_refused_by_name(kind: str) -> None:
    """A field that the contract does not have is named in the refusal, never passed over."""
    assert refused(kind, surprise=1).field == "surprise"


def test_the_good_examples_are_all_kinds_there_are() -> None:
    """These tests, the catalogue and the contract speak of the same kinds."""
    assert tuple(GOOD) == tuple(events.KINDS) == BY_NAME["eddie_events_accepted_total"].born["kind"]


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("timeout", "agent_id", ""),
        ("timeout", "agent_id", "x" * 129),
        ("timeout", "agent_id", "__name"),
        ("timeout", "agent_id", "a\nb"),
        ("timeout", "agent_id", "a\n"),
        ("timeout", "agent_id", "a\x00"),
        ("timeout", "agent_id", "a\x85"),
        ("timeout", "agent_id", 7),
        ("timeout", "reason", None),
        ("timeout", "id", "018f0000-0000-4000-8000-000000000000"),
        ("timeout", "id", "018f0000000070008000000000000000"),
        ("timeout", "ts", -1),
        ("task-split", "chunks", 0),
        ("task-split", "chunks", 1_000_001),
        ("task-split", "chunks", True),
        ("task-split", "chunks", "3"),
        ("task-split", "chunks", 3.0),
        ("task-split", "depth", 1001),
        ("chunk-started", "lease_seconds", 0.5),
        ("chunk-started", "lease_seconds", 604_801),
        ("chunk-execution", "seconds", -0.001),
        ("chunk-execution", "seconds", 31_536_001),
        ("chunk-execution", "outcome", "lost"),
        ("chunk-execution", "tokens_in", 1_000_000_001),
        ("chunk-execution", "cost_usd", 1_000_001),
        ("docker-resource-allocation", "cpu_limit", 4097),
        ("docker-resource-allocation", "memory_limit_bytes", 2**53),
        ("merge-deduplication", "duplicates", -1),
        ("agent-hello", "stages", ["plan", ""]),
        ("agent-hello", "stages", "plan"),
        ("agent-hello", "reasons", ["x"] * 101),
    ],
)
def test_a_value_outside_its_bounds_is_refused_with_its_field(kind: str, field: str, value: object) -> None:
    """The refusal names the field and what was expected, for every bound of the contract."""
    error = refused(kind, **{field: value})
    assert (error.field, bool(error.expected)) == (field, True)


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("timeout", "agent_id", "x" * 128),
        ("timeout", "agent_id", "𝕏" * 128),
        ("timeout", "agent_id", '"\\{}<img src=x>'),
        ("timeout", "stage", None),
        ("timeout", "id", "018F0000-0000-7000-8000-00000000000a"),
        ("task-split", "chunks", 1_000_000),
        ("chunk-started", "lease_seconds", 604_800),
        ("chunk-execution", "seconds", 0),
        ("chunk-execution", "seconds", 31_536_000),
        ("docker-resource-allocation", "memory_limit_bytes", 2**53 - 1),
        ("agent-hello", "reasons", ["x"] * 100),
    ],
)
def test_a_value_on_its_bound_is_taken(kind: str, field: str, value: object) -> None:
    """The bounds themselves are inside."""
    decode.decode_one(kind, json.dumps({**GOOD[kind], field: value}).encode())


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_a_number_that_is_not_finite_is_refused(number: str) -> None:
    """Neither NaN nor anything infinite reaches a total."""
    body = b'{"agent_id": "a1", "seconds": %s}' % number.encode()
    with pytest.raises(ContractError):
        decode.decode_one("chunk-execution", body)
    with pytest.raises(ContractError, match="seconds"):
        decode.build("chunk-execution", {"agent_id": "a1", "seconds": float(number)})


def test_a_failed_task_needs_a_reason() -> None:
    """An outcome other than success names its reason; success needs none."""
    assert refused("task-finished", outcome="failure").field == "reason"
    assert refused("task-finished", outcome="timeout").field == "reason"
    decode.decode_one("task-finished", json.dumps({**GOOD["task-finished"], "outcome": "success"}).encode())


def test_a_report_of_limits_names_at_least_one() -> None:
    """A report with neither limit says nothing, and is refused."""
    assert refused("docker-resource-allocation", cpu_limit=None, memory_limit_bytes=None).field == "cpu_limit"


def test_a_refusal_in_a_batch_names_the_event() -> None:
    """In an array and in lines, ``index`` counts events from 0."""
    good, bad = {"kind": "timeout", **GOOD["timeout"]}, {"kind": "timeout", "agent_id": "a1"}
    with pytest.raises(ContractError) as array:
        decode.decode_array(json.dumps([good, good, bad]).encode())
    with pytest.raises(ContractError) as lines:
        decode.decode_ndjson(b"\n".join(json.dumps(one).encode() for one in (good, good, bad)))
    assert (array.value.index, array.value.field) == (lines.value.index, lines.value.field) == (2, "reason")


@pytest.mark.parametrize("event", [{}, {"kind": "nope"}, {"kind": 3}])
def test_an_event_of_no_known_kind_is_refused(event: dict[str, Any]) -> None:
    """In a batch every event carries a kind of the contract."""
    with pytest.raises(ContractError) as caught:
        decode.decode_array(json.dumps([event]).encode())
    assert (caught.value.index, caught.value.field) == (0, "kind")


def test_a_single_event_may_repeat_its_kind_but_not_contradict_its_path() -> None:
    """The path says the kind; a body that says another is refused."""
    decode.decode_one("timeout", json.dumps({"kind": "timeout", **GOOD["timeout"]}).encode())
    assert "'timeout'" in refused("timeout", kind="task-split").expected


@pytest.mark.parametrize("body", [b"", b"[", b"nope", b"\xff\xfe", b'[{"kind":"timeout","agent_id":"\\ud800"}]'])
def test_what_is_no_json_is_refused_as_such(body: bytes) -> None:
    """Broken JSON and broken UTF-8 get one clear refusal each."""
    with pytest.raises(ContractError, match="JSON"):
        decode.decode_array(body)


@pytest.mark.parametrize("depth", [10_000, 200_000])
def test_deep_json_is_refused(depth: int) -> None:
    """Nesting exhausts no stack."""
    with pytest.raises(ContractError):
        decode.decode_array(b'[{"kind":"timeout","x":' + b"[" * depth + b"]" * depth + b"}]")


def test_too_many_events_are_refused_and_the_bound_itself_is_not() -> None:
    """A request carries 10 000 events and no more."""
    line = json.dumps({"kind": "timeout", **GOOD["timeout"]}).encode() + b"\n"
    assert len(decode.decode_ndjson(line * decode.MAX_EVENTS)) == decode.MAX_EVENTS
    with pytest.raises(TooManyEventsError, match="10000"):
        decode.decode_ndjson(line * (decode.MAX_EVENTS + 1))


def test_empty_lines_and_an_empty_array_are_fine() -> None:
    """Nothing to count is no mistake."""
    assert decode.decode_array(b"[]") == decode.decode_ndjson(b"\n\r\n") == []


def test_the_schema_says_the_same_bounds() -> None:
    """The OpenAPI document derives from the contract: bounds, required fields, closed objects."""
    refs, components = decode.openapi_schema()
    split = components["TaskSplit"]
    assert refs["task-split"] == {"$ref": "#/components/schemas/TaskSplit"}
    assert (split["properties"]["chunks"]["minimum"], split["properties"]["chunks"]["maximum"]) == (1, 1_000_000)
    assert split["additionalProperties"] is False
    assert "\\Z" not in json.dumps(components)


def test_what_agents_import_needs_the_standard_library_only() -> None:
    """No module of eddie_metrics imports anything that pip would have to bring."""
    for path in Path(events.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                top = name.split(".")[0]
                assert top in sys.stdlib_module_names or top == "eddie_metrics", f"{path.name} imports {name}"
