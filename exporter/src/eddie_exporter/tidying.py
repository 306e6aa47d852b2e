"""Beside the data's way: every few seconds leases end, what is old is forgotten, and the hour gets its mark."""

from __future__ import annotations

import asyncio
import time

import structlog

from eddie_exporter.metrics import MetricsCollector
from eddie_exporter.summary import Summariser

EVERY_SECONDS = 5.0

log = structlog.get_logger(__name__)


async def keep_tidy(collector: MetricsCollector, summariser: Summariser, every: float = EVERY_SECONDS) -> None:
    """Tidy until cancelled; a round that fails is logged, and the next one comes."""
    while True:
        await asyncio.sleep(every)
        try:
            await asyncio.to_thread(_round, collector, summariser)
        except Exception:
            log.exception("tidying failed")


def _round(collector: MetricsCollector, summariser: Summariser) -> None:
    collector.tidy()
    summariser.mark(time.time())
