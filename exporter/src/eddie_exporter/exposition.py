"""Station *exposed*: what a scrape gets, as text 0.0.4 or OpenMetrics 1.0, by what it accepts.

The library's own negotiation answers an unknown version of OpenMetrics with an error, or echoes it as Content-Type,
and Prometheus 3 fails a scrape whose type it does not know.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from eddie_exporter import lines
from eddie_exporter.metrics import MetricsCollector

_OPENMETRICS = "application/openmetrics-text"


@dataclass(frozen=True)
class Format:
    """One format of exposition and its Content-Type."""

    openmetrics: bool
    content_type: str


TEXT = Format(openmetrics=False, content_type="text/plain; version=0.0.4; charset=utf-8")
OPENMETRICS = Format(openmetrics=True, content_type="application/openmetrics-text; version=1.0.0; charset=utf-8")


def negotiate(accept: str | None, openmetrics_allowed: bool) -> Format:
    """Choose by the Accept header: OpenMetrics where it is wanted at least as much as text, in a version we speak.

    Anything odd is answered with text 0.0.4, which everybody reads.
    """
    if not openmetrics_allowed:
        return TEXT
    best: dict[bool, float] = {True: 0.0, False: 0.0}
    for offer in (accept or "").split(","):
        media, *rest = (part.strip().lower() for part in offer.split(";"))
        options = dict(one.split("=", 1) for one in rest if "=" in one)
        quality = _quality(options.get("q", "1"))
        if media == _OPENMETRICS and options.get("version", "1.0.0").strip('"') in {"1.0.0", "0.0.1"}:
            best[True] = max(best[True], quality)
        elif media in {"text/plain", "text/*", "*/*"}:
            best[False] = max(best[False], quality)
    return OPENMETRICS if best[True] > 0 and best[True] >= best[False] else TEXT


def _quality(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0


def pieces(collector: MetricsCollector, fmt: Format) -> Iterator[bytes]:
    """Yield everything, a piece at a time; whoever takes them lets other threads in between. Counts its own cost."""
    # The thread's own time: what the pieces' taker does with them counts, what it waits for does not.
    started = time.thread_time()
    with collector.lock:
        families = collector.copies()
    yield from lines.pieces(families, openmetrics=fmt.openmetrics)
    collector.observe_collection("scrape", time.thread_time() - started)


def render(collector: MetricsCollector, fmt: Format) -> bytes:
    """Render everything at once."""
    return b"".join(pieces(collector, fmt))
