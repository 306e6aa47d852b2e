"""Whatever takes events takes the same ones: the collector, the client, the one that is off, the one for tests."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.collectors import Clock, collector_at, value

from eddie_exporter.metrics import MetricsCollector
from eddie_metrics import AsyncClient, CapturingClient, Client, NullClient, Recorder
from eddie_metrics.events import KINDS, Event

KNOW_THEIR_AGENT = [Client, NullClient, CapturingClient]
ALL = [MetricsCollector, Recorder, *KNOW_THEIR_AGENT]
EXAMPLE: dict[str, Any] = {
    "task_id": "t1", "chunk_id": "c1", "agent_id": "a1", "container_id": "k1", "stage": "plan", "reason": "deadline",
    "chunks": 2, "duplicates": 1, "depth": 1, "seconds": 1.5, "outcome": "failure", "lease_seconds": 60.0,
    "cpu_limit": 2.0, "memory_limit_bytes": 4096, "tokens_in": 1, "tokens_out": 2, "cost_usd": 0.5,
    "language": "python", "version": "1", "stages": ["plan"], "reasons": ["deadline"],
    "id": "01890a5d-ac96-7b7c-8f2a-3d1e5f6a7b8c", "ts": 1_700_000_000.0,
}  # fmt: skip


def method(kind: str) -> str:
    """Name the method of a kind."""
    return f"record_{kind.replace('-', '_')}"


def keywords(function: Callable[..., None]) -> tuple[set[str], set[str]]:
    """Answer the keywords a method must have and those it may have, written out or unpacked."""
    hints = typing.get_type_hints(function)
    must: set[str] = set()
    may: set[str] = set()
    for name, one in list(inspect.signature(function).parameters.items())[1:]:
        if one.kind is one.VAR_KEYWORD:
            # Its own __required_keys__ is blind where annotations are kept as text.
            for key, hint in typing.get_type_hints(typing.get_args(hints[name])[0], include_extras=True).items():
                (may if typing.get_origin(hint) is typing.NotRequired else must).add(key)
        else:
            assert one.kind is one.KEYWORD_ONLY, f"expected {name} as a keyword only"
            (must if one.default is one.empty else may).add(name)
    return must, may


def of_contract(cls: type[Event]) -> tuple[set[str], set[str]]:
    """Answer the fields an event must have and those it may have."""
    must = {one.name for one in dataclasses.fields(cls) if one.default is dataclasses.MISSING}
    return must, {one.name for one in dataclasses.fields(cls)} - must


@pytest.mark.parametrize("recorder", ALL, ids=lambda cls: cls.__name__)
def test_methods_and_keywords_are_the_contracts(recorder: type[Any]) -> None:
    """One method a kind and none besides; the same required and optional names, but for an agent's own id."""
    assert {name for name in dir(recorder) if name.startswith("record_")} == {method(kind) for kind in KINDS}
    for kind, cls in KINDS.items():
        must, may = of_contract(cls)
        if recorder in KNOW_THEIR_AGENT:
            may |= must & {"agent_id"}
            must -= {"agent_id"}
        assert keywords(getattr(recorder, method(kind))) == (must, may), kind


@pytest.mark.parametrize("kind", KINDS)
def test_a_default_that_is_left_out_is_the_contracts(kind: str) -> None:
    """With the required fields alone an event is taken, and nothing is made up for the others."""
    must = {name: EXAMPLE[name] for name in of_contract(KINDS[kind])[0]}
    if kind == "docker-resource-allocation":
        must["cpu_limit"] = 1.0
    if kind == "task-finished":
        must["reason"] = "deadline"
    capturing = CapturingClient()
    getattr(capturing, method(kind))(**must)
    assert capturing.events == [{"kind": kind, **must}]
    collector = collector_at(Clock())
    getattr(collector, method(kind))(**must)
    assert value(collector, "eddie_events_accepted_total", kind=kind) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_taken_by_all(kind: str) -> None:
    """Each field of the contract is one that every recorder takes."""
    fields = {one.name: EXAMPLE[one.name] for one in dataclasses.fields(KINDS[kind])}
    collector, capturing = collector_at(Clock()), CapturingClient()
    for recorder in (collector, capturing, NullClient()):
        getattr(recorder, method(kind))(**fields)
    assert capturing.events == [{"kind": kind, **fields}]
    assert value(collector, "eddie_events_accepted_total", kind=kind) == 1


def test_all_of_them_are_recorders() -> None:
    """What mypy checks here an agent relies on: it takes a Recorder and is given any of them."""
    recorders: list[Recorder] = [
        MetricsCollector(),
        Client("http://127.0.0.1:9"),
        NullClient(),
        CapturingClient(),
        AsyncClient("http://127.0.0.1:9"),
    ]
    for recorder in recorders:
        assert all(callable(getattr(recorder, method(kind))) for kind in KINDS)
        assert all(callable(getattr(recorder, scope)) for scope in ("task", "chunk", "timeout_guard"))


def test_the_names_agents_import_are_there() -> None:
    """Each public name can be imported, and it is what it is called."""
    import eddie_metrics  # noqa: PLC0415

    assert sorted(eddie_metrics.__all__) == eddie_metrics.__all__
    for name in eddie_metrics.__all__:
        assert getattr(eddie_metrics, name).__name__ == name
