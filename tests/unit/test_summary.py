"""The summary: how the fleet is, in numbers a person can check."""

from __future__ import annotations

import pytest
from tests.support.exporters import app_with, client_of, collector_of

from eddie_exporter.summary import age


async def test_totals_agents_and_stages() -> None:
    """What was sent is in the totals, at its agent and at its stage."""
    app = app_with(environment="lab")
    collector = collector_of(app)
    collector.record_agent_hello(agent_id="a1")
    for n in range(4):
        collector.record_task_finished(
            task_id=f"t{n}",
            agent_id="a1",
            stage="plan",
            seconds=20,
            outcome="failure" if n == 3 else "success",
            reason="crash",
        )
    collector.record_timeout(agent_id="a2", reason="deadline", stage="plan")
    collector.record_task_started(task_id="t9", agent_id="a2", stage="plan")
    async with client_of(app) as http:
        said = (await http.get("/metrics/summary")).json()
    assert said["environment"] == "lab"
    assert said["started_at"] == collector.started_at
    assert said["totals"]["task_success_total"] == 3
    assert said["success_rate"] == 0.75
    assert said["stages"] == {
        "plan": {
            "success": 3, "failure": 1, "timeouts": 1, "success_rate": 0.75,
            "p50": pytest.approx(22.5), "p95": pytest.approx(29.25), "p99": pytest.approx(29.85),
        }
    }  # fmt: skip
    assert said["agents"]["a1"]["tasks_executed"] == 4
    assert said["agents"]["a2"] == {"active_tasks": 1, "tasks_executed": 0, "timeouts": 1, "chunk_p95": None}
    assert [event["kind"] for event in said["events"]][-1] == "task-started"
    assert len(said["indicators"]) == 5


async def test_an_empty_summary_knows_nothing() -> None:
    """Nothing happened: no rate, no quantile, no judgement but that of no timeouts."""
    async with client_of(app_with()) as http:
        said = (await http.get("/metrics/summary")).json()
    assert (said["success_rate"], said["agents"], said["stages"], said["events"]) == (None, {}, {}, [])
    assert [one["ok"] for one in said["indicators"] if one["name"] != "timeouts_per_hour"] == [None] * 4
    assert said["last_scrape"] == {"seconds": None, "ok": None}
    assert said["docker"] == "off"
    assert said["told"]["somebody"] is None


async def test_last_bounds_the_lists() -> None:
    """`last` is how many events and notifications come, newest last; outside 0 to 1000 it is 422."""
    app = app_with()
    for n in range(5):
        collector_of(app).record_timeout(agent_id=f"a{n}", reason="r")
    async with client_of(app) as http:
        two = (await http.get("/metrics/summary?last=2")).json()["events"]
        assert [event["agent_id"] for event in two] == ["a3", "a4"]
        assert (await http.get("/metrics/summary?last=0")).json()["events"] == []
        for bad in ("-1", "1001", "NaN", "x", "1e400", "true", "%00", "9" * 5000):
            answer = await http.get(f"/metrics/summary?last={bad}")
            assert (answer.status_code, answer.json()["field"]) == (422, "query.last")


@pytest.mark.parametrize(
    ("last", "started", "now", "seconds", "ok"),
    [
        (None, 0, 10, None, None),  # it may still come
        (None, 0, 181, None, False),  # it should have come
        (100, 0, 110, 10, True),
        (100, 0, 280, 180, True),
        (100, 0, 281, 181, False),  # red past three minutes
        (100, 0, 90, 0, True),  # a clock that was set back
    ],
)
def test_age(last: float | None, started: float, now: float, seconds: float | None, ok: bool | None) -> None:
    """Three minutes without are red; a start is given as long."""
    found = age(last, started, now)
    assert (found.seconds, found.ok) == (seconds, ok)
