"""Station intake: the client's envelope is opened inside its bounds, and a newer contract is no obstacle."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from eddie_exporter import envelope
from eddie_exporter.envelope import MAX_NUMBER, Opened, is_envelope, open_envelope
from eddie_exporter.errors import ContractError, TooManyEventsError

EVENT: dict[str, Any] = {"kind": "timeout", "agent_id": "a1", "reason": "deadline"}
GOOD: dict[str, Any] = {"producer": "p1", "epoch": 7, "seq": 1, "events": [EVENT]}


def opened(**changes: Any) -> Opened:
    """Open a good envelope in which ``changes`` were made; None takes a field out."""
    made = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    return open_envelope(json.dumps(made).encode())


def refused(**changes: Any) -> ContractError:
    """Answer the refusal of such an envelope."""
    with pytest.raises(ContractError) as caught:
        opened(**changes)
    return caught.value


def test_an_envelope_says_who_sent_what() -> None:
    """Producer, epoch, seq, events and what was dropped come out as they went in."""
    found = opened(dropped={"queue-full": 3, "poison": MAX_NUMBER})
    assert (found.producer, found.epoch, found.seq, len(found.events)) == ("p1", 7, 1, 1)
    assert found.dropped == {"queue-full": 3, "poison": MAX_NUMBER}
    assert found.unknown == {}


def test_an_envelope_may_be_empty() -> None:
    """Without events it still carries what was dropped, and takes its seq."""
    assert opened(events=[], dropped={"old": 1}).events == []


@pytest.mark.parametrize("name", GOOD)
def test_what_an_envelope_must_have_is_named(name: str) -> None:
    """Each required field is named when it is missing."""
    assert refused(**{name: None}).field == name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("producer", ""),
        ("producer", "x" * 129),
        ("producer", "__x"),
        ("producer", "a\nb"),
        ("producer", 7),
        ("epoch", 0),
        ("epoch", MAX_NUMBER + 1),
        ("epoch", "7"),
        ("epoch", 7.0),
        ("epoch", True),
        ("seq", 0),
        ("seq", -1),
        ("seq", MAX_NUMBER + 1),
        ("events", {}),
        ("contract", 0),
        ("contract", 1.0),
        ("contract", "2"),
        ("surprise", 1),
        ("dropped", []),
        ("dropped", {"": 1}),
        ("dropped", {"x" * 129: 1}),
        ("dropped", {"__x": 1}),
        ("dropped", {"a\x85": 1}),
        ("dropped", {"a": 0}),
        ("dropped", {"a": MAX_NUMBER + 1}),
        ("dropped", {"a": "1"}),
        ("dropped", {str(number): 1 for number in range(101)}),
    ],
)
def test_a_field_outside_its_bounds_is_refused_by_name(name: str, value: object) -> None:
    """Every bound of the envelope's own fields; no event is to blame."""
    error = refused(**{name: value})
    assert (error.field, error.index) == (name, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("producer", "x" * 128),
        ("producer", 'a"\\b'),
        ("epoch", 1),
        ("epoch", MAX_NUMBER),
        ("seq", MAX_NUMBER),
        ("contract", 1),
        ("dropped", {}),
        ("dropped", {str(number): 1 for number in range(100)}),
        ("dropped", {"\\": MAX_NUMBER}),
    ],
)
def test_a_field_on_its_bound_is_taken(name: str, value: object) -> None:
    """The bounds themselves are inside."""
    opened(**{name: value})


@pytest.mark.parametrize(
    ("broken", "name"),
    [
        ({"kind": "timeout", "agent_id": "a1"}, "reason"),
        ({**EVENT, "agent_id": ""}, "agent_id"),
        ({**EVENT, "agent_id": "a\u007f"}, "agent_id"),
        ({**EVENT, "surprise": 1}, "surprise"),
        ({"kind": "nope"}, "kind"),
        ({"kind": "agent-hello", "agent_id": "a1", "stages": ["x", "__y"]}, "stages"),
    ],
)
def test_a_broken_event_is_named_by_its_place(broken: dict[str, Any], name: str) -> None:
    """Index and field are those of the event, so that a client can take it out and send the rest."""
    error = refused(events=[EVENT, EVENT, broken, EVENT])
    assert (error.index, error.field) == (2, name)


def test_unknown_fields_of_a_newer_contract_are_counted() -> None:
    """What a newer sender says beyond this contract is passed over and counted by kind; the rest counts."""
    hello = {"kind": "agent-hello", "agent_id": "a\\1", "mood": {"x": [1, {}]}}
    found = opened(contract=2, region="eu", events=[{**EVENT, "a": 1, "b": None}, EVENT, hello, {**EVENT, "a": 2}])
    assert found.unknown == {"envelope": 1, "timeout": 3, "agent-hello": 1}
    assert found.events == opened(events=[EVENT, EVENT, {"kind": "agent-hello", "agent_id": "a\\1"}, EVENT]).events


def test_a_newer_contract_excuses_nothing_that_is_known() -> None:
    """Negative twin: known fields keep their bounds, required ones are required, and kinds are those of here."""
    assert refused(contract=2, events=[{**EVENT, "new": 1}, {"kind": "timeout", "agent_id": "a1"}]).index == 1
    assert refused(contract=2, events=[{**EVENT, "agent_id": "__x", "new": 1}]).field == "agent_id"
    assert refused(contract=2, events=[{"kind": "newer-kind"}]).field == "kind"
    assert refused(contract=2, producer="__x", region="eu").field == "producer"
    assert refused(contract=1, region="eu").field == "region"
    assert opened(contract=2).unknown == {}


def test_what_is_unknown_cannot_fill_the_memory() -> None:
    """Eight MiB of small unknown fields are refused before each becomes an object of its own."""
    many = ",".join(f'"f{number}":0' for number in range(600_000))
    around = f'{{"contract":2,"producer":"p","epoch":1,"seq":1,"events":[],{many}}}'.encode()
    inside = (
        b'{"contract":2,"producer":"p","epoch":1,"seq":1,"events":[{"kind":"fallback-depth-exceeded",'
        + many.encode()
        + b"}]}"
    )
    dropped = f'{{"producer":"p","epoch":1,"seq":1,"events":[],"dropped":{{{many}}}}}'.encode()
    for body in (around, inside, dropped):
        tracemalloc.start()
        try:
            with pytest.raises(ContractError):
                open_envelope(body)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < len(body) * 1.5


def test_too_many_events_are_refused_in_an_envelope_too() -> None:
    """10 000 events and no more, whatever the contract."""
    small = {"kind": "fallback-depth-exceeded"}
    assert len(opened(events=[small] * 10_000).events) == 10_000
    for extra in ({}, {"contract": 2, "region": "eu"}):
        with pytest.raises(TooManyEventsError):
            opened(events=[small] * 10_001, **extra)


@pytest.mark.parametrize("body", [b"{}", b" \r\n\t{", b"{"])
def test_an_object_is_an_envelope(body: bytes) -> None:
    """The first byte that is not blank says what a body is."""
    assert is_envelope(body)


@pytest.mark.parametrize("body", [b"", b" ", b"[]", b" [{}]", b"\x00{", b"\xef\xbb\xbf{"])
def test_anything_else_is_none(body: bytes) -> None:
    """Negative twin: arrays, nothing, and bytes that are no JSON."""
    assert not is_envelope(body)


@pytest.mark.parametrize("text", ["a\x80", "__a", "\x7f", "a\\b", "Zürich"])
def test_the_short_way_decides_as_the_long_one(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Producer, reasons and events are decided alike whether or not their strings are looked at one by one."""

    def verdicts() -> list[str]:
        told = []
        for changes in ({"producer": text}, {"dropped": {text: 1}}, {"events": [{**EVENT, "agent_id": text}]}):
            try:
                open_envelope(json.dumps({**GOOD, **changes}, ensure_ascii=False).encode())
                told.append("taken")
            except ContractError as error:
                told.append(str(error))
        return told

    short = verdicts()
    monkeypatch.setattr(envelope, "is_plain", lambda _: False)
    assert short == verdicts()
