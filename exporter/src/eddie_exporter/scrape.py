"""Station *exposed*: ``GET /metrics/prometheus`` and ``/metrics``, the same bytes, rendered in a thread."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable, Iterator

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from eddie_exporter import exposition
from eddie_exporter.access import Access
from eddie_exporter.answers import documented
from eddie_exporter.metrics import MetricsCollector

SCRAPER = "x-prometheus-scrape-timeout-seconds"
"""A header every Prometheus (and what imitates it) sends. Only that is a scrape: a person's curl, or a health
check, must not hide that Prometheus has stopped coming."""
BREATH_SECONDS = 0.00005
"""The kernel makes about a tenth of a millisecond of it, as much as a piece takes."""


def takes_gzip(accepted: str) -> bool:
    """Read an Accept-Encoding header; ``gzip;q=0`` is a refusal, and beats ``*``."""
    chosen: dict[str, bool] = {}
    for one in accepted.lower().split(","):
        name, _, parameter = (part.strip() for part in one.partition(";"))
        try:
            chosen[name] = float(parameter.removeprefix("q=") or 1) > 0 if parameter.startswith("q=") else True
        except ValueError:
            chosen[name] = False
    return chosen.get("gzip", chosen.get("*", False))


def gzip(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Compress at level 1: level 9 costs ten times as much as all the rest of a scrape, for few bytes less."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


def aside(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Sleep between pieces: a thread that never does keeps others waiting for 5 ms, each time they want something."""
    for piece in pieces:
        yield piece
        time.sleep(BREATH_SECONDS)


def routes(collector: MetricsCollector, access: Access, *, openmetrics: bool) -> APIRouter:
    """Answer the scrape's two paths."""
    router = APIRouter(tags=["metrics"], dependencies=[Depends(access.read)])

    def render(accept: str | None, *, packed: bool) -> tuple[bytes, str]:
        chosen = exposition.negotiate(accept, openmetrics)
        pieces = aside(exposition.pieces(collector, chosen))
        return b"".join(gzip(pieces) if packed else pieces), chosen.content_type

    async def metrics(request: Request) -> Response:
        """Expose every series: text 0.0.4, or OpenMetrics 1.0 where `Accept` prefers it; gzip where allowed."""
        packed = takes_gzip(",".join(request.headers.getlist("accept-encoding")))
        accept = ",".join(request.headers.getlist("accept")) or None
        body, content_type = await run_in_threadpool(render, accept, packed=packed)
        if SCRAPER in request.headers:
            collector.scraped()
        # The type goes in as a header: `media_type=` would append a second charset.
        headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding", "Cache-Control": "no-store"}
        return Response(body, headers=headers | ({"Content-Encoding": "gzip"} if packed else {}))

    text = {"schema": {"type": "string"}}
    types = {"text/plain": text, "application/openmetrics-text": text}
    for path, name in (("/metrics/prometheus", "metrics_prometheus"), ("/metrics", "metrics")):
        router.add_api_route(
            path,
            metrics,
            methods=["GET"],
            name=name,
            response_class=Response,
            responses={200: {"content": types}, **documented(401, 403, 503)},
        )
    return router
