"""The long proof: kills and power cuts under load, many, with the figures they end with.

``make chaos KILLS=1000 CUTS=100`` (cuts on each file system). What cannot be done here (no root, no loop devices) is
said aloud and left out. Exit status 1 when an event was lost, counted twice, or a series went back.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.support.chaos.disks import DiskError, lent, missing  # noqa: E402  (the path comes first)
from tests.support.chaos.rounds import Figures, cuts, kills  # noqa: E402

SLICE = 50
"""Faults on one store; then the next store begins, so that a first start is among the moments that are hit."""


def _slices(number: int) -> list[int]:
    return [min(SLICE, number - begun) for begun in range(0, number, SLICE)]


def _say(done: str, found: Figures, began: float) -> None:
    state = "exact" if found.exact else "NOT EXACT"
    print(f"{time.monotonic() - began:6.0f} s  {done}: {found.acknowledged:,} events, {state}", flush=True)


def _kills(number: int, began: float) -> Figures:
    found, seed = Figures(), 100
    for part in _slices(number):
        seed += 1
        with tempfile.TemporaryDirectory(prefix="eddie-chaos-") as folder:
            found.add(kills(Path(folder), part, seed=seed))
        _say(f"{found.faults['kills']} kills", found, began)
    return found


def _cuts(kind: str, number: int, began: float) -> Figures:
    found, seed = Figures(), 200
    lacks = missing(kind)
    if lacks is not None:
        print(f"left out: {lacks}", flush=True)
        return found
    for part in _slices(number):
        seed += 1
        with tempfile.TemporaryDirectory(prefix="eddie-chaos-") as folder:
            try:
                with lent(Path(folder), kind) as disk:
                    found.add(cuts(disk, part, seed=seed))
            except (DiskError, PermissionError) as error:
                print(f"left out: no loop-mounted {kind} here: {error}", flush=True)
                return found
        _say(f"{found.faults[f'cuts on {kind}']} power cuts on {kind}", found, began)
    return found


def main() -> int:
    """Run all, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000, help="kills of the process")
    parser.add_argument("--cuts", type=int, default=100, help="power cuts on each of ext4 and XFS")
    asked = parser.parse_args()
    began, all_of_it = time.monotonic(), Figures()
    parts = [_kills(asked.kills, began), *(_cuts(kind, asked.cuts, began) for kind in ("ext4", "xfs"))]
    for part in parts:
        if part.faults:
            print(f"\n{part}", flush=True)
        all_of_it.add(part)
    print(f"\nin all, {(time.monotonic() - began) / 60:.0f} minutes\n{all_of_it}", flush=True)
    return 0 if all_of_it.exact else 1


if __name__ == "__main__":
    sys.exit(main())
