"""The scrape: both paths, both formats, gzip by what is accepted, and only a Prometheus counts as a scrape."""

from __future__ import annotations

import gzip

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from tests.support.collectors import value
from tests.support.exporters import app_with, client_of, collector_of

from eddie_exporter.scrape import takes_gzip

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


def names(text: str, *, openmetrics: bool) -> set[str]:
    """Parse an exposition with the library's own parser, and answer the families."""
    parse = parse_openmetrics if openmetrics else parse_text
    return {family.name for family in parse(text)}


@pytest.mark.parametrize("path", ["/metrics", "/metrics/prometheus"])
@pytest.mark.parametrize(
    ("accept", "content_type"),
    [(None, TEXT), ("*/*", TEXT), (PROMETHEUS_3, OPENMETRICS), ("application/openmetrics-text;version=abc", TEXT)],
)
async def test_both_paths_speak_what_is_accepted(path: str, accept: str | None, content_type: str) -> None:
    """Text by default, OpenMetrics where preferred, text again for a version nobody knows; each can be parsed."""
    async with client_of(app_with()) as http:
        del http.headers["accept"]
        answer = await http.get(path, headers={"accept": accept} if accept else {})
    assert (answer.status_code, answer.headers["content-type"]) == (200, content_type)
    assert "timeout_events" in str(names(answer.text, openmetrics=content_type == OPENMETRICS))
    assert answer.headers["vary"] == "Accept, Accept-Encoding"


async def test_openmetrics_can_be_switched_off() -> None:
    """The switch takes OpenMetrics out of the negotiation."""
    async with client_of(app_with(openmetrics=False)) as http:
        assert (await http.get("/metrics", headers={"accept": PROMETHEUS_3})).headers["content-type"] == TEXT


async def test_gzip_where_it_is_accepted() -> None:
    """The same bytes come compressed when asked for, and plain when not."""
    async with client_of(app_with()) as http:
        async with http.stream("GET", "/metrics", headers={"accept-encoding": "gzip"}) as packed:
            raw = b"".join([chunk async for chunk in packed.aiter_raw()])
        plain = await http.get("/metrics", headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert names(gzip.decompress(raw).decode(), openmetrics=False) == names(plain.text, openmetrics=False)
    assert raw[8] == 4, "expected the header's word for the fastest level (RFC 1952, XFL): 9 costs ten times as much"
    assert len(raw) < len(plain.content) / 3


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("gzip", True), ("GZIP", True), ("deflate, gzip;q=0.5", True), ("*", True), ("identity, *;q=0.1", True),
        ("", False), ("identity", False), ("gzip;q=0", False), ("gzip;q=0, *", False), ("gzip;q=x", False),
        (";;,,=", False),
    ],
)  # fmt: skip
def test_accept_encoding(header: str, wanted: bool) -> None:
    """Gzip is used where the header allows it, and never where it is refused or unreadable."""
    assert takes_gzip(header) is wanted


async def last_scrape(http: httpx.AsyncClient) -> float | None:
    """Answer the age of the last scrape."""
    age: float | None = (await http.get("/metrics/summary")).json()["last_scrape"]["seconds"]
    return age


async def test_only_a_prometheus_scrapes() -> None:
    """A person's curl does not hide that Prometheus has stopped coming; what Prometheus sends does count."""
    app = app_with()
    async with client_of(app) as http:
        await http.get("/metrics")
        assert await last_scrape(http) is None
        await http.get("/metrics", headers={"X-Prometheus-Scrape-Timeout-Seconds": "10"})
        assert await last_scrape(http) is not None
    assert value(collector_of(app), "eddie_collection_seconds_count", operation="scrape") == 2


@pytest.mark.parametrize("path", ["/metrics", "/", "/health", "/health/ready", "/metrics/summary", "/docs"])
async def test_head_is_get_without_the_body(path: str) -> None:
    """HEAD answers what GET would, with nothing in it."""
    async with client_of(app_with()) as http:
        head, got = await http.head(path), await http.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
