"""The second wall, on the real servers: what an exporter at its own limits shows is taken, what lies beyond is refused.

The target is a stand-in that answers with what a test gives it, for an exporter never goes beyond its own limits; what
it shows when it is full is made by the exporter's own code.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from tests.support.eventually import eventually
from tests.support.programs import ROOT
from tests.support.stacks import needs, older_prometheus

from eddie_exporter.decode import decode_array
from eddie_exporter.exposition import OPENMETRICS, TEXT, render
from eddie_exporter.metrics import MetricsCollector
from eddie_exporter.settings import Settings
from rig.stack import Stack

SCRAPED = 'scrape_samples_post_metric_relabeling{job="eddie-metrics"}'
JOBS = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text())["scrape_configs"]
LIMITS = next(job for job in JOBS if job["job_name"] == "eddie-metrics")
MOST = int(LIMITS["sample_limit"])
LONGEST = int(LIMITS["label_value_length_limit"])


class Target(BaseHTTPRequestHandler):
    """Answers every scrape with the class's pages, in the format that is asked for."""

    openmetrics: bytes = b"# EOF\n"
    text: bytes = b""
    repeated = 1

    def do_GET(self) -> None:
        """Send one page, ``repeated`` times."""
        chosen = "application/openmetrics-text" in self.headers.get("Accept", "")
        body, kind = (self.openmetrics, OPENMETRICS) if chosen else (self.text, TEXT)
        self.send_response(200)
        self.send_header("Content-Type", kind.content_type)
        self.send_header("Content-Length", str(len(body) * self.repeated))
        self.end_headers()
        for _ in range(self.repeated):
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@contextmanager
def scraping(folder: Path, older: Path | None) -> Iterator[tuple[Stack, type[Target]]]:
    """Run a Prometheus with the shipped configuration, every 5 s, before a stand-in for the exporter."""
    needs(*(() if older else ("prometheus",)))
    pages = type("Pages", (Target,), {})
    with Stack(folder, factor=3, prometheus=older) as stack:
        server = ThreadingHTTPServer(("127.0.0.1", stack.ports["exporter"]), pages)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            stack.start("prometheus")
            yield stack, pages
        finally:
            server.shutdown()
            server.server_close()


@pytest.fixture(params=["3.x", "2.42"])
def wall(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Stack, type[Target]]]:
    """Give the newer and the distribution's older Prometheus, one after the other."""
    with scraping(tmp_path, older_prometheus() if request.param == "2.42" else None) as made:
        yield made


def full() -> MetricsCollector:
    """Fill an exporter until its place for series is used up: its own limit, unless it is told otherwise."""
    collector = MetricsCollector(Settings(docker=False))
    for begin in range(0, 6000, 500):
        events = [
            event
            for agent in (f"agent-{number:04}" for number in range(begin, begin + 500))
            for event in (
                {"kind": "agent-hello", "agent_id": agent, "language": "python", "reasons": ["deadline", "slow"]},
                {"kind": "chunk-started", "chunk_id": f"c-{agent}", "agent_id": agent},
                {
                    "kind": "docker-resource-allocation",
                    "container_id": f"box-{agent}",
                    "cpu_limit": 2,
                    "agent_id": agent,
                },
            )
        ]
        collector.apply(decode_array(json.dumps(events).encode()))
    return collector


def series(count: int, value: str = "x") -> tuple[bytes, bytes]:
    """Make two pages, OpenMetrics and text, of so many samples whose label has this value."""
    lines = "".join(f'wall{{n="{number}",value="{value}"}} 1\n' for number in range(count))
    head = "# HELP wall For a test.\n# TYPE wall gauge\n"
    return f"{head}{lines}# EOF\n".encode(), f"{head}{lines}".encode()


def taken(stack: Stack, samples: int) -> None:
    """Fail until the target is up with so many samples."""
    assert stack.value('up{job="eddie-metrics"}') == 1
    assert stack.value(SCRAPED) == samples


def refused(stack: Stack, why: str) -> None:
    """Fail until the target is down for this reason."""
    (target,) = [each for each in stack.prometheus("targets")["activeTargets"] if each["scrapePool"] == "eddie-metrics"]
    assert why in target["lastError"]
    assert stack.value('up{job="eddie-metrics"}') == 0


def test_an_exporter_that_is_full_is_scraped(wall: tuple[Stack, type[Target]]) -> None:
    """All it shows at its own limit is taken, creation times counted as samples where they are; no alarm at that."""
    stack, pages = wall
    collector = full()
    pages.openmetrics, pages.text = render(collector, OPENMETRICS), render(collector, TEXT)
    lines = sum(not line.startswith(b"#") for line in pages.openmetrics.splitlines())
    assert 0.99 * Settings().max_samples < lines < MOST * 4 / 5 * 1.01, "expected a full exporter"

    def whole() -> None:
        assert stack.value('up{job="eddie-metrics"}') == 1
        assert stack.value("eddie_series_used") > 0.99 * stack.value("eddie_series_limit")
        assert stack.value(SCRAPED) > lines / 2

    eventually(whole, within=60, every=1)
    assert stack.value(SCRAPED) <= lines


def test_samples_are_bounded(wall: tuple[Stack, type[Target]]) -> None:
    """The last sample that has place is taken; one more, and none is."""
    stack, pages = wall
    pages.openmetrics, pages.text = series(MOST)
    eventually(lambda: taken(stack, MOST), within=60, every=1)
    pages.openmetrics, pages.text = series(MOST + 1)
    eventually(lambda: refused(stack, "sample limit"), within=60, every=1)


def test_the_contracts_longest_value_passes_and_a_longer_one_does_not(wall: tuple[Stack, type[Target]]) -> None:
    """128 characters of four bytes each are taken; one byte more fails the scrape."""
    stack, pages = wall
    pages.openmetrics, pages.text = series(1, "𝕏" * 128)
    eventually(lambda: taken(stack, 1), within=30, every=1)
    pages.openmetrics, pages.text = series(1, "x" * (LONGEST + 1))
    eventually(lambda: refused(stack, "label_value_length_limit"), within=30, every=1)


def test_a_body_without_end_is_cut_off(wall: tuple[Stack, type[Target]]) -> None:
    """More bytes than an exporter at its limits can say are not read; that it was up before is the positive twin."""
    stack, pages = wall
    pages.openmetrics, pages.text = series(1)
    eventually(lambda: taken(stack, 1), within=30, every=1)
    mebibyte = (b"# HELP wall " + b"x" * 1000 + b"\n") * 1036
    assert len(mebibyte) >= 2**20
    pages.openmetrics = pages.text = mebibyte
    pages.repeated = int(LIMITS["body_size_limit"].removesuffix("MB"))
    eventually(lambda: refused(stack, "body size limit"), within=60, every=1)
