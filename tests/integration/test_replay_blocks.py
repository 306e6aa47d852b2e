"""`scripts/replay.py --to-blocks` against a real Prometheus: a log of then becomes blocks of then."""

from __future__ import annotations

import json
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.event_logs import NOW, logged, timeout
from tests.support.programs import program, run
from tests.support.stories import story

import replay
from eddie_exporter.catalogue import BY_NAME
from fleet.web import ask
from replaying.blocks import ABOUT_ITSELF
from rig.engine import Engine, free_port


def queried(url: str, query: str, at: float) -> dict[str, float]:
    """Ask Prometheus at a moment; series by their labels as JSON."""
    answer = ask(f"{url}/api/v1/query?{urllib.parse.urlencode({'query': query, 'time': at})}").json()
    return {json.dumps(one["metric"], sort_keys=True): float(one["value"][1]) for one in answer["data"]["result"]}


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[dict[str, Any]], float]]:
    """Give a Prometheus on blocks of a story of yesterday, its events, and when they ended."""
    folder = tmp_path_factory.mktemp("past")
    promtool, prometheus = program("promtool"), program("prometheus", (3, 5))
    began = time.time() - 86_400
    events = [{**each.event, "ts": round(began + each.at, 3)} for each in story("storm", 7, 900)]
    log, out, data = logged(folder, *events), folder / "events.om", folder / "data"
    assert replay.main([str(log), "--to-blocks", str(out)]) == 0
    made = run(promtool, "tsdb", "create-blocks-from", "openmetrics", str(out), str(data))
    assert made.returncode == 0, made.stdout + made.stderr
    (folder / "prometheus.yml").write_text("{}\n")
    url = f"http://127.0.0.1:{free_port()}"
    command = [prometheus, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={data}"]
    command.append(f"--web.listen-address={url.removeprefix('http://')}")
    engine = Engine("prometheus", command, url, "/-/ready", folder / "prometheus.log", {}, folder)
    engine.launch()
    try:
        engine.wait_ready(30)
        yield url, events, began + 900
    finally:
        engine.stop()


def test_blocks_hold_the_events_at_their_own_times(past: tuple[str, list[dict[str, Any]], float]) -> None:
    """A real Prometheus on these blocks says of yesterday what happened yesterday: totals, a histogram, increases."""
    url, events, end = past
    timeouts = [each for each in events if each["kind"] == "timeout"]
    finished = [each for each in events if each["kind"] == "task-finished"]
    at = end + 15
    (total,) = queried(url, 'sum(timeout_events_total{job="eddie-metrics"})', at).values()
    assert total == len(timeouts)
    (count,) = queried(url, 'sum(task_execution_seconds_count{job="eddie-metrics", instance="replay"})', at).values()
    assert count == len(finished)
    (below,) = queried(url, 'sum(task_execution_seconds_bucket{le="60.0"})', at).values()
    assert below == sum(each["seconds"] <= 60 for each in finished)
    middle = end - 450
    (half,) = queried(url, "sum(timeout_events_total)", middle).values()
    assert half == sum(each["ts"] <= middle - middle % 15 for each in timeouts)
    (grown,) = queried(url, 'sum(increase(timeout_events_total{job="eddie-metrics"}[20m]))', at).values()
    assert grown == pytest.approx(len(timeouts), rel=0.03)


def test_blocks_are_of_then_and_say_nothing_of_now(past: tuple[str, list[dict[str, Any]], float]) -> None:
    """Negative twin: before the story there is nothing, and now there is nothing."""
    url, _, end = past
    assert queried(url, 'timeout_events_total{job="eddie-metrics"}', end - 1000) == {}
    assert queried(url, 'timeout_events_total{job="eddie-metrics"}', time.time()) == {}


def test_blocks_refuse_what_has_no_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An event without `ts` has no place in the past: refused, named, kept; what is left is written."""
    log = logged(tmp_path, timeout(1, ts=NOW), timeout(2), "bad")
    out = tmp_path / "out.om"
    rejected = tmp_path / "events.ndjson.rejected"
    rejected.write_text("what a replay of it kept\n")
    assert replay.main([str(log), "--to-blocks", str(out)]) == 1
    assert len((tmp_path / "out.om.rejected").read_text().splitlines()) == 2
    assert rejected.read_text() == "what a replay of it kept\n"
    text = out.read_text()
    assert text.endswith("# EOF\n")
    assert 'timeout_events_total{job="eddie-metrics",instance="replay",agent_id="a1",reason="deadline"} 1.0' in text
    assert "3" not in {line.rsplit(" ", 2)[1] for line in text.splitlines() if line.startswith("timeout_events_total")}
    assert "2 lines were refused" in capsys.readouterr().err


def test_one_wrong_time_does_not_fill_the_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A `ts` of 1970 among those of today would be a hundred million steps: the two lines are named instead."""
    log = logged(tmp_path, timeout(1, ts=1.0), timeout(2, ts=NOW))
    assert replay.main([str(log), "--to-blocks", str(tmp_path / "out.om")]) == 3
    assert "line 1" in capsys.readouterr().err
    assert not (tmp_path / "out.om").exists()


def test_what_an_exporter_says_of_itself_is_known() -> None:
    """Each name that blocks leave out is one the catalogue has."""
    assert set(BY_NAME) >= ABOUT_ITSELF
