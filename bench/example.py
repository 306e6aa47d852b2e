"""What the metrics cost the example while no exporter answers, against the same program without the metrics."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.table import Goal, row

import example

AWAY = "http://127.0.0.1:9"
"""Nobody listens there, all the run."""
TURNS = 9
ROUNDS = "6"
"""Of the example's ten tasks in a run: ten seconds or so of two processors."""
GOAL = Goal("<=", 1.02)


def run(folder: Path, **more: str) -> tuple[float, float]:
    """Run the example of a folder; answer the seconds of its work, and of the whole process, start and end included."""
    began = time.monotonic()
    process = example.start(example.environment(AWAY, **more), "--rounds", ROUNDS, folder=folder)
    found = example.result(process, within=120)
    return found["seconds"], time.monotonic() - began


def rows() -> None:
    """Print all rows of this part: each way in turn, the ratio taken turn by turn."""
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain"
        subprocess.run([sys.executable, str(example.FOLDER / "plain.py"), str(plain)], check=True)
        turns = []
        for number in range(TURNS):
            outbox = str(Path(folder) / f"outbox-{number}")
            turns.append((run(example.FOLDER), run(example.FOLDER, EDDIE_OUTBOX=outbox), run(plain)))
    for place, way in enumerate(("no outbox", "outbox")):
        for part, what, goal in ((0, "work", GOAL), (1, "whole process", None)):
            ours = [turn[place][part] for turn in turns]
            peers = [turn[-1][part] for turn in turns]
            ratio = statistics.median(own / peer for own, peer in zip(ours, peers, strict=True))
            name = f"example, exporter absent, {way}: {what} (s)"
            row(name, statistics.median(ours), statistics.median(peers), "without metrics", ratio=ratio, goal=goal)
