"""Station exposed: two formats, one content, and never a type that Prometheus refuses."""

from __future__ import annotations

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from tests.support.collectors import START, Clock, collector_at, value

from eddie_exporter.exposition import OPENMETRICS, TEXT, negotiate, render
from eddie_exporter.metrics import MetricsCollector

PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;"
    "q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,/;q=0.1"
)
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)


def busy(clock: Clock) -> MetricsCollector:
    """Answer a collector with something of every type in it, and labels that need escaping."""
    collector = collector_at(clock)
    collector.record_agent_hello(agent_id='a"1\\', stages=["plan"], reasons=["deadline"])
    collector.record_timeout(agent_id='a"1\\', reason="𝕏 # TYPE x counter")
    collector.record_task_finished(task_id="t1", agent_id="b", stage="plan", seconds=7, outcome="success")
    collector.record_docker_resource_allocation(container_id="box", cpu_limit=0.5)
    return collector


@pytest.mark.parametrize("accept", [PROMETHEUS_2, PROMETHEUS_3, "application/openmetrics-text"])
def test_prometheus_gets_openmetrics(accept: str) -> None:
    """Both majors ask for OpenMetrics first, and creation times travel in it."""
    assert negotiate(accept, openmetrics_allowed=True) is OPENMETRICS


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "",
        "*/*",
        "text/plain",
        "text/html,*/*;q=0.8",
        "application/openmetrics-text;version=abc",
        "application/openmetrics-text;version=2.0.0",
        "application/openmetrics-text;q=0",
        "application/openmetrics-text;q=x",
        "application/openmetrics-text;q=0.1,text/plain;q=0.9",
        ";;;,,,q=",
    ],
)
def test_everybody_else_gets_text(accept: str | None) -> None:
    """A browser, curl and an unknown version get what everybody reads; nothing is echoed."""
    assert negotiate(accept, openmetrics_allowed=True) is TEXT


def test_the_off_switch_takes_openmetrics_out_of_the_negotiation() -> None:
    """Without OpenMetrics even Prometheus gets text, which has no creation times at all."""
    assert negotiate(PROMETHEUS_3, openmetrics_allowed=False) is TEXT


def test_both_formats_parse_and_say_the_same() -> None:
    """Every sample but the creation times is in both, with the same value."""
    collector = busy(Clock())
    text = {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in parse_text(render(collector, TEXT).decode())
        for one in family.samples
        if "eddie_collection_seconds" not in one.name
    }
    openmetrics = {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in parse_openmetrics(render(collector, OPENMETRICS).decode())
        for one in family.samples
        if "eddie_collection_seconds" not in one.name and not one.name.endswith("_created")
    }
    assert text == openmetrics
    assert len(text) > 100


def test_text_has_no_creation_times() -> None:
    """In text 0.0.4 Prometheus would store each as a series of its own."""
    assert b"_created" not in render(busy(Clock()), TEXT)


def test_each_counting_child_is_followed_by_its_own_creation_time() -> None:
    """One child without it costs the real server 20 s a scrape instead of 0.1 s."""
    for family in busy(Clock()).families(openmetrics=True):
        if family.type == "gauge":
            assert not any(one.name.endswith("_created") for one in family.samples)
            continue
        pending: dict[str, str] | None = None
        for one in family.samples:
            labels = {name: text for name, text in one.labels.items() if name != "le"}
            if one.name.endswith("_created"):
                assert labels == pending, f"{one.name}{labels} follows another child"
                pending = None
            else:
                assert pending in (None, labels), f"{family.name}{pending} has no creation time"
                pending = labels
        assert pending is None, f"{family.name}{pending} has no creation time"


def test_a_creation_time_in_the_future_is_sent_as_zero_for_good() -> None:
    """After the clock was ahead, a creation time that comes true later would count the whole total again."""
    clock = Clock()
    collector = collector_at(clock)
    clock.now += 3600
    collector.record_timeout(agent_id="a1", reason="deadline")
    clock.now = START
    assert value(collector, "timeout_events_created", agent_id="a1", reason="deadline") == 0.0
    clock.now += 7200
    assert value(collector, "timeout_events_created", agent_id="a1", reason="deadline") == 0.0
    assert value(collector, "task_split_created") == START - 30


def test_buckets_are_written_as_floats() -> None:
    """Prometheus 3 knows ``le="5.0"``, never ``le="5"``."""
    body = render(busy(Clock()), TEXT).decode()
    assert 'le="5.0"' in body
    assert 'le="5"' not in body


def test_the_order_of_a_histogram_is_ascending_and_cumulative() -> None:
    """The last bucket is everything."""
    collector = busy(Clock())
    [family] = [one for one in collector.families(openmetrics=False) if one.name == "task_execution_seconds"]
    counts = [one.value for one in family.samples if one.name.endswith("_bucket")]
    assert counts == sorted(counts)
    assert counts[-1] == 1
