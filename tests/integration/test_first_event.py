"""The first event counts, on the real server: a series born at 1 is an increase of 1, thanks to its creation time."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.support.eventually import eventually
from tests.support.stacks import native

from rig.stack import Stack

SERIES = 'timeout_events_total{agent_id="newcomer"}'
CHUNKS = 'chunk_execution_seconds_count{agent_id="newcomer"}'


def first_events(stack: Stack) -> None:
    """Let an agent that nobody has heard of speak for the first time, once the server scrapes."""
    stack.scraped(time.time())
    stack.scraped(time.time())  # twice: the series' birth is in the middle of a life, not at its start
    events = [
        {"kind": "timeout", "agent_id": "newcomer", "reason": "deadline"},
        {"kind": "chunk-execution", "agent_id": "newcomer", "seconds": 2.0},
    ]
    stack.post(json.dumps(events).encode(), "application/json")


def scraped_three_times(stack: Stack, series: str) -> None:
    """Fail until the server holds three samples of a series' real value."""
    assert stack.value(f"sum(count_over_time({series}[5m] @ {time.time()}))") >= 3
    assert stack.value(series) == 1


def test_a_series_born_at_one_is_an_increase_of_one(tmp_path: Path) -> None:
    """A counter and a histogram of an agent's first event: increase is about 1, and no _created series is stored."""
    with native(tmp_path, "exporter", "prometheus") as stack:
        first_events(stack)
        for series in (SERIES, CHUNKS):
            eventually(lambda series=series: scraped_three_times(stack, series), within=20)  # type: ignore[misc]
            assert 0.5 <= stack.value(f"increase({series}[1m])") <= 1.5
        assert stack.samples('{__name__=~".+_created"}') == {}


def test_without_the_feature_flag_the_first_event_is_invisible(tmp_path: Path) -> None:
    """Negative twin: the same events on a server without the flag increase nothing, and each _created is a series."""
    with native(tmp_path, "exporter", "prometheus", flags=False) as stack:
        first_events(stack)
        for series in (SERIES, CHUNKS):
            eventually(lambda series=series: scraped_three_times(stack, series), within=20)  # type: ignore[misc]
            assert stack.value(f"increase({series}[1m])") == 0
        assert stack.samples('{__name__="timeout_events_created"}')
