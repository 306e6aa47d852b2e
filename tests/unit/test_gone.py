"""Station count: gone things go, so that a year of one-use names costs what a day does."""

from __future__ import annotations

import gc
from pathlib import Path

import psutil
from tests.support.collectors import Clock
from tests.support.stores import Kept, event, timeout

MONTH = 30 * 86_400
NAMES = 200_000
STEP = 500


def test_a_month_of_one_use_names_levels_off(tmp_path: Path) -> None:
    """200 000 agents that each speak once: series, store and memory stop growing, and today's are all visible."""
    clock = Clock()
    kept = Kept(tmp_path, clock)
    assert kept.journal is not None
    sizes = {}
    for first in range(0, NAMES, STEP):
        names = [f"run-{number}" for number in range(first, first + STEP)]
        kept.submit([timeout(name) for name in names])
        kept.submit([event("chunk-execution", agent_id=name, seconds=1, chunk_id="c") for name in names])
        clock.now += MONTH / NAMES * STEP
        kept.tick()
        if (first + STEP) % (NAMES // 4) == 0:
            gc.collect()
            state = kept.collector.state
            rows = kept.journal._db.execute("SELECT count(*) FROM series").fetchone()[0]
            sizes[first + STEP] = (state.budget.used, rows, psutil.Process().memory_info().rss / 2**20)
    used, rows, resident = zip(*sizes.values(), strict=True)
    assert max(used[1:]) <= 1.1 * used[0], f"expected the samples to level off, got {used}"
    assert max(rows[1:]) <= 1.1 * rows[0], f"expected the store to level off, got {rows}"
    assert resident[3] <= 1.15 * resident[1], f"expected the memory to level off, got {resident} MiB"
    today = {f"run-{number}" for number in range(NAMES - NAMES // 30, NAMES)}
    shown = {line.split('"')[1] for line in kept.shown() if line.startswith("timeout_events_total{")}
    assert today <= shown, f"expected today's agents, {len(today - shown)} are missing"
    assert "__overflow__" not in shown
    assert kept.collector.snapshot().retired["timeout_events_total"] + kept.total("timeout_events_total") == NAMES
    kept.killed()
