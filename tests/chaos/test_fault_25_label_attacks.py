"""Fault 25: label values that are quotation marks, line ends, comments of the format, or names of other labels."""

from __future__ import annotations

import contextlib
import http.client
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from tests.support.chaos.process import Exporter, exporter
from tests.support.chaos.reading import get
from tests.support.chaos.single import bare, post
from tests.support.chaos.traffic import Event
from tests.support.programs import program

ESCAPED = (
    '"', "\\", '\\"', "\\n", 'a"} 1\\n', '",le="0.5', "{", "}", "{}", ",", "=", "# TYPE x counter", "# EOF", "#",
    "le", "job", "instance", "quantile", "NaN", "+Inf", "${jndi:x}", "{{ $labels.x }}", "%s", "<img src=x>", "𝕏" * 128,
    "\u2028", "\u00a0", "name", "_x", " ", "a b", "../../etc/passwd", "' OR 1=1 --",
)  # fmt: skip
REFUSED = (
    "__name__",
    "__overflow__",
    "__",
    "\n",
    "a\nb",
    "a\n# TYPE x counter\nx 1",
    "\r",
    "\t",
    "\x00",
    "\x1b[2J",
    "\x7f",
    "\x85",
    "",
)

OURS = ("eddie_", "task_", "timeout_", "chunk_", "agent_", "docker_", "merge_", "fallback_", "process_")


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Exporter]:
    """Answer a running exporter."""
    with exporter(tmp_path) as found:
        yield found


def series(one: Exporter) -> set[str]:
    """Answer the names and labels of all samples."""
    return {line.rpartition(" ")[0] for line in get(one.port, "/metrics/prometheus")[1].decode().splitlines()}


def everywhere(value: str) -> list[Event]:
    """Make events that carry a value in every field that becomes a label."""
    finished = {"task_id": value, "agent_id": value, "stage": value, "seconds": 1, "outcome": "failure"}
    return [
        {"kind": "timeout", "agent_id": value, "reason": value, "stage": value},
        {"kind": "chunk-execution", "agent_id": value, "seconds": 1, "tokens_in": 1, "cost_usd": 1},
        {"kind": "task-started", "task_id": f"{value[:100]}2", "agent_id": value, "stage": value},
        {"kind": "task-finished", **finished, "reason": value},
        {"kind": "docker-resource-allocation", "container_id": value, "cpu_limit": 1, "agent_id": value},
        {"kind": "agent-hello", "agent_id": value, "language": value, "version": value, "stages": [value]},
    ]


def openmetrics(one: Exporter) -> str:
    """Scrape as Prometheus does."""
    link = http.client.HTTPConnection("127.0.0.1", one.port, timeout=10)
    with contextlib.closing(link):
        link.request("GET", "/metrics/prometheus", headers={"accept": "application/openmetrics-text;version=1.0.0"})
        answer = link.getresponse()
        assert str(answer.getheader("content-type")).startswith("application/openmetrics-text")
        return answer.read().decode()


def test_fault_25_every_value_that_is_taken_comes_out_as_it_went_in(one: Exporter) -> None:
    """Both formats are read back by the library's parsers with exactly these values, and promtool finds no fault."""
    for value in ESCAPED:
        reply = post(one.port, bare(everywhere(value)))
        assert reply.status == 202, (value, reply.body)
    _, text = get(one.port, "/metrics/prometheus")
    found = {
        sample.labels["agent_id"]: sample.value
        for family in parse_text(text.decode())
        for sample in family.samples
        if sample.name == "timeout_events_total"
    }
    assert found == dict.fromkeys(ESCAPED, 1.0)
    assert all(family.name.startswith(OURS) for family in parse_text(text.decode()))
    again = {
        sample.labels["agent_id"]
        for family in parse_openmetrics(openmetrics(one))
        for sample in family.samples
        if sample.name == "timeout_events_total"
    }
    assert again == set(ESCAPED)


def test_fault_25_promtool_finds_no_fault(one: Exporter) -> None:
    """`promtool check metrics` reads what is exposed after the attack, and has nothing to say."""
    promtool = program("promtool", (2, 43))
    for value in ESCAPED:
        post(one.port, bare(everywhere(value)))
    text = get(one.port, "/metrics/prometheus")[1]
    told = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, timeout=60, check=False)
    said = (told.stdout + told.stderr).decode()
    assert "error while parsing" not in said, said
    assert told.returncode == 0, said


def test_fault_25_values_that_no_escape_helps_are_refused(one: Exporter) -> None:
    """Control characters, nothing at all, and what begins like the exporter's own are 422; no series is made."""
    before = series(one)
    for value in REFUSED:
        for event in everywhere(value):
            assert post(one.port, bare([event])).status == 422, event
    assert series(one) == before


def test_fault_25_no_value_gets_into_the_log_unescaped(one: Exporter) -> None:
    """Refused or taken, in paths and headers too: each line of the log is JSON of its own."""
    for value in (*ESCAPED, *REFUSED):
        post(one.port, bare(everywhere(value)))
    assert "\x1b" not in one.said()
    assert "# TYPE x" not in one.said()
