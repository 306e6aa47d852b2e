"""Hours of a fleet's work in a Prometheus that has just started: a simulated past, counted by the exporter's own code.

The simulated fleet's events go through the exporter's collector with a clock that runs ahead, every scrape's
exposition is kept with its time, and ``promtool tsdb create-blocks-from`` makes blocks of them, before Prometheus
starts. So six hours stand there in half a minute, and each number is one that the exporter would have exposed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from tests.support.programs import program, run

from eddie_exporter.decode import decode_array
from eddie_exporter.exposition import TEXT, render
from eddie_exporter.metrics import MetricsCollector
from eddie_exporter.settings import Settings
from fleet.scenarios import SCENARIOS
from fleet.simulation import Simulation
from rig.stack import Stack

EVERY = 15
"""Seconds between the scrapes of the past."""

GUESTS = {"demo-arthur": "demo-lunkwill", "demo-ford": "demo-fook"}
"""The fleet has eight agents; two of a calm one work beside them, so that there are ten."""


def made(stack: Stack, hours: float, scenario: str = "storm") -> float:
    """Put ``hours`` of the past into the data folder of ``stack``'s Prometheus, which must not run yet.

    Its recording rules have then spoken about the past too. Returns when the past ends, in seconds since the epoch.
    """
    folder = stack.folder / "history"
    folder.mkdir()
    end = time.time() // EVERY * EVERY
    text = folder / "scrapes.txt"
    with text.open("w", encoding="utf-8") as written:
        written.writelines(scrapes(end - hours * 3600, end, scenario, f"127.0.0.1:{stack.ports['exporter']}"))
        written.write("# EOF\n")
    data = stack.folder / "prometheus/data"
    data.mkdir(parents=True)
    _promtool("tsdb", "create-blocks-from", "openmetrics", str(text), str(data))
    text.unlink()
    rules = [rule for file in (stack.tree / "prometheus/rules/recording").glob("*.yml") for rule in records(file)]
    plain = [rule for rule in rules if not any(other["record"] in rule["expr"] for other in rules)]
    for part in (plain, [rule for rule in rules if rule not in plain]):
        stack.start("prometheus")
        recorded(stack, part, end - hours * 3600, end)
        stack.engines["prometheus"].stop()
    return end


def scrapes(start: float, end: float, scenario: str, instance: str) -> Iterator[str]:
    """Yield the lines of every scrape from ``start`` to ``end``, each with the labels of a target and its time."""
    clock = [start]
    collector = MetricsCollector(Settings(docker=False), clock=lambda: clock[0])
    fleets = [Simulation(SCENARIOS[scenario], 7), Simulation(SCENARIOS["calm"], 8)]
    target = f'job="eddie-metrics",instance="{instance}"'
    for now in range(int(start), int(end) + 1, EVERY):
        clock[0] = float(now)
        storm, calm = ([each.event for each in fleet.advance(now - start)] for fleet in fleets)
        events = storm + [renamed(event) for event in calm if event.get("agent_id") in GUESTS]
        if events:
            collector.apply(decode_array(json.dumps(events).encode()))
        lines = render(collector, TEXT).decode().splitlines()
        yield from (labelled(line, target, now) for line in lines if wanted(line))


def records(file: Path) -> list[dict[str, Any]]:
    """Read the recording rules of a file of rules."""
    return [rule for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]


def recorded(stack: Stack, rules: list[dict[str, Any]], start: float, end: float) -> None:
    """Let promtool ask the running Prometheus what ``rules`` would have recorded, and put that beside its data."""
    file = stack.folder / "history" / "records.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "past", "interval": f"{2 * EVERY}s", "rules": rules}]}))
    times = ("--start", str(int(start)), "--end", str(int(end)))
    places = ("--url", stack.url("prometheus"), "--output-dir", str(stack.folder / "prometheus/data"))
    _promtool("tsdb", "create-blocks-from", "rules", *times, *places, str(file))


def renamed(event: dict[str, Any]) -> dict[str, Any]:
    """Give a guest's event its own names, so that it is nobody else's task."""
    ids: dict[str, Any] = {
        key: f"guest-{event[key]}" for key in ("task_id", "chunk_id", "container_id") if key in event
    }
    return {**event, **ids, "agent_id": GUESTS[event["agent_id"]]}


def wanted(line: str) -> bool:
    """Leave out comments, and the times of creation that Prometheus with its feature flag does not store either."""
    return not line.startswith("#") and "_created" not in line.partition("{")[0].partition(" ")[0]


def labelled(line: str, target: str, now: int) -> str:
    """Write a sample's line with its target's labels and its time."""
    series, _, value = line.rpartition(" ")
    series = f"{series[:-1]},{target}}}" if series.endswith("}") else f"{series}{{{target}}}"
    return f"{series} {value} {now}\n"


def _promtool(*words: str) -> None:
    done = run(program("promtool", (3, 5)), *words, timeout=300)
    assert done.returncode == 0, f"expected promtool {words[1]} to make blocks, got {done.stderr[-2000:]}"


def size(folder: Path) -> int:
    """Return how many bytes lie in a folder."""
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())
