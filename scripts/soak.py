"""Does memory grow? A steady load for some minutes, and the slope of the exporter's memory with its standard error.

``make soak`` (SECONDS=600). The first fifth warms up caches and is not part of the slope. The load is a fleet's: ten
thousand events a minute with numbered batches and ids, a scrape every second, a summary every ten. Exit status 1 when
an event was lost or counted twice.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.support.chaos.judging import quantile  # noqa: E402  (the path comes first)
from tests.support.chaos.process import Exporter, exporter  # noqa: E402
from tests.support.chaos.reading import scrape, summary  # noqa: E402
from tests.support.chaos.senders import driven, fleet_of  # noqa: E402

WARM = 0.2
MIB = 1024.0
HOUR = 3600.0


def slope(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Answer the least-squares slope of (x, y) points and its standard error; NaN with fewer than three points."""
    number = len(points)
    if number < 3:
        return math.nan, math.nan
    middle_x = sum(x for x, _ in points) / number
    middle_y = sum(y for _, y in points) / number
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    rise = sum((x - middle_x) * (y - middle_y) for x, y in points) / spread
    rest = sum((y - middle_y - rise * (x - middle_x)) ** 2 for x, y in points)
    return rise, math.sqrt(rest / (number - 2) / spread)


def resident(one: Exporter) -> float:
    """Answer the process's resident memory in MiB."""
    for line in Path(f"/proc/{one.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / MIB
    raise RuntimeError("expected VmRSS in the process's status, got none; is this Linux?")


def _watch(one: Exporter, seconds: float) -> list[tuple[float, float]]:
    """Scrape every second, and note the memory."""
    points: list[tuple[float, float]] = []
    began, pause = time.monotonic(), threading.Event()
    while (elapsed := time.monotonic() - began) < seconds:
        scrape(one.port)
        if len(points) % 10 == 0:
            summary(one.port)
        points.append((elapsed, resident(one)))
        if len(points) % 60 == 0:
            print(f"{elapsed:6.0f} s  {points[-1][1]:.1f} MiB", flush=True)
        pause.wait(1)
    return points


def main() -> int:
    """Run, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="how long")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory(prefix="eddie-soak-") as folder, exporter(Path(folder)) as one:
        fleet = fleet_of(one.port, numbered=16, with_ids=4, size=5, pace=0.6)
        with driven(fleet):
            points = _watch(one, seconds)
            fleet.drain()
        found = fleet.ledger.balance(scrape(one.port))
    steady = [point for point in points if point[0] > WARM * seconds]
    rise, error = slope(steady)
    print(f"events acknowledged {fleet.ledger.total():,}: {found}")
    print(
        f"answers p50 {quantile(0.5, fleet.ledger.seconds) * 1000:.1f} ms, "
        f"p99 {quantile(0.99, fleet.ledger.seconds) * 1000:.1f} ms"
    )
    print(f"memory {points[0][1]:.1f} MiB at first, {points[-1][1]:.1f} MiB at last")
    print(
        f"slope {rise * HOUR:+.2f} MiB/h, standard error {error * HOUR:.2f} MiB/h, "
        f"over {len(steady)} points after {WARM * seconds:.0f} s"
    )
    return 0 if found.exact and not fleet.ledger.surprises else 1


if __name__ == "__main__":
    sys.exit(main())
