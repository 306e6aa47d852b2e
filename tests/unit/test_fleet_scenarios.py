"""The demo fleet's scenarios: each brings its own alert soon, none of the others, and data for every panel."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from tests.support.stories import failed, most_in, of, story

from fleet.scenarios import SCENARIOS, STAGES

SEEDS = (1, 7, 42)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_storm_has_many_timeouts_soon_and_nothing_else(seed: int) -> None:
    """More than ten timeouts of one agent and reason in 80 s; no task too deep, failures far below the alert."""
    happenings = story("storm", seed)
    early = Counter(
        (happening.event["agent_id"], happening.event["reason"])
        for happening in of(happenings, "timeout")
        if happening.at < 80
    )
    assert max(early.values()) > 10
    assert of(happenings, "fallback-depth-exceeded") == []
    assert most_in(failed(happenings), 300) < 20


@pytest.mark.parametrize("seed", SEEDS)
def test_failing_has_one_failing_stage_soon_and_no_storm(seed: int) -> None:
    """More than 30 failures of one stage and reason (0.1 a second over 5 minutes) in the first 80 s."""
    happenings = story("failing", seed)
    early = Counter((h.event["stage"], h.event["reason"]) for h in failed(happenings) if h.at < 80)
    assert early["code", "tool-error"] > 36
    assert most_in(of(happenings, "timeout"), 300) <= 6
    assert of(happenings, "fallback-depth-exceeded") == []


@pytest.mark.parametrize("seed", SEEDS)
def test_deep_exceeds_the_depth_soon_and_again_without_a_storm(seed: int) -> None:
    """A fallback is too deep within 70 s and again before 5 minutes are over; timeouts stay below ten in 5 minutes."""
    happenings = story("deep", seed)
    times = [happening.at for happening in of(happenings, "fallback-depth-exceeded")]
    assert times[0] < 70
    assert all(later - earlier < 240 for earlier, later in itertools.pairwise(times))
    assert most_in(of(happenings, "timeout"), 300) <= 9
    assert most_in(failed(happenings), 300) < 20


@pytest.mark.parametrize("seed", range(20))
def test_calm_stays_below_every_alert_but_is_not_empty(seed: int) -> None:
    """For twenty seeds: a few timeouts, splits and merges, never enough for one of the three alerts."""
    happenings = story("calm", seed)
    assert 0 < most_in(of(happenings, "timeout"), 300) <= 6
    assert of(happenings, "fallback-depth-exceeded") == []
    assert most_in(failed(happenings), 300) < 20


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_what_every_panel_needs_has_happened_after_ten_seconds(name: str, seed: int) -> None:
    """Each stage has ended; there was a timeout, a split, chunks and a merge: a scrape later panels have data."""
    happenings = story(name, seed, 12)
    kinds = Counter(happening.event["kind"] for happening in happenings)
    finished = Counter(happening.event["stage"] for happening in of(happenings, "task-finished"))
    assert all(finished[stage.name] for stage in STAGES)
    wanted = {"timeout", "task-split", "chunk-execution", "merge-deduplication"}
    assert {kind for kind in wanted if not kinds[kind]} == set()
