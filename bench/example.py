"""What the metrics cost the example while no exporter answers, against the same program without the metrics."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.table import Goal, row

import example

AWAY = "http://127.0.0.1:9"
"""Nobody listens there, all the run."""
TURNS = 3
ROUNDS = "25"
"""Of the example's ten tasks in a run, half a minute: in a shorter one, what each process pays once weighs more."""
GOAL = Goal("<=", 1.02)


@dataclass(frozen=True)
class Spent:
    """What a run took: seconds of the work, of the processors, and of the whole process, start and end included."""

    work: float
    processors: float
    whole: float


def processors() -> float:
    """Answer the processor seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(folder: Path, outbox: Path | None = None) -> Spent:
    """Run the example of a folder."""
    more = {"EDDIE_OUTBOX": str(outbox)} if outbox else {}
    began, before = time.monotonic(), processors()
    process = example.start(example.environment(AWAY, **more), "--rounds", ROUNDS, folder=folder)
    found = example.result(process, within=120)
    return Spent(found["seconds"], processors() - before, time.monotonic() - began)


def rows() -> None:
    """Print all rows of this part; the plain run stands beside the other, now before it and now after."""
    for way in ("no outbox", "outbox"):
        pairs = []
        with tempfile.TemporaryDirectory() as folder:
            plain = Path(folder) / "plain"
            subprocess.run([sys.executable, str(example.FOLDER / "plain.py"), str(plain)], check=True)
            for turn in range(TURNS):
                outbox = Path(folder) / f"outbox-{turn}" if way == "outbox" else None
                first = run(plain) if turn % 2 else None
                ours = run(example.FOLDER, outbox)
                pairs.append((ours, first or run(plain)))
        compared(f"example, no exporter, {way}: work (s)", [(a.work, b.work) for a, b in pairs], GOAL)
        compared(f"example, no exporter, {way}: processors (s)", [(a.processors, b.processors) for a, b in pairs])
        compared(f"example, no exporter, {way}: start to end (s)", [(a.whole, b.whole) for a, b in pairs])


def compared(name: str, pairs: list[tuple[float, float]], goal: Goal | None = None) -> None:
    """Print a row: the medians, and the median of the pairs' ratios."""
    ours, peers = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
    ratio = statistics.median(own / peer for own, peer in pairs)
    row(name, ours, peers, "without metrics", ratio=ratio, goal=goal)
