#!/usr/bin/env python3
"""Drill: real engines at shipped timings, to see that one symptom is one message, whatever happens to the engines.

Stacks of their own (exporter, Prometheus, Alertmanager, Grafana; throw-away data, free ports) run side by side for
about 17 minutes: four in which one symptom is seen by two engines, one for each scenario of the demo's fleet. With
`--factor 15` all timings are divided and it takes two minutes; that proves less, because a program's own delays do not
shrink with it, and leaves the fleet out, whose troubles do not come faster. Needs the virtual environment of
`scripts/venv.sh dev`, Prometheus, Alertmanager and a Grafana (GRAFANA_HOME).
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fleet.scenarios import SCENARIOS
from rig import fleets
from rig.exercises import EXERCISES, Row, run
from rig.programs import ROOT, MissingProgramError, find, grafana_home
from stack import tools

DEMOS = {f"demo {name}": name for name in SCENARIOS}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--factor", type=float, default=1.0, help="divide every duration by this (%(default)s)")
    parser.add_argument("--only", action="append", choices=[*EXERCISES, *DEMOS], help="one exercise (all of them)")
    parser.add_argument("--keep", type=Path, help="keep logs and data in this new folder")
    options = parser.parse_args()
    if not 1 <= options.factor <= 30:
        parser.error(f"--factor: expected 1 to 30, got {options.factor:g}")
    if options.keep and options.keep.exists():
        parser.error(f"--keep: expected a folder that is not there yet, got {options.keep}")
    return options


def table(rows: list[Row]) -> str:
    """Return the rows as a table a person can read, each exercise under its name."""
    heads = ("", "expected", "seen", "verdict")
    lines = [(row.subject, row.expected, row.seen, "ok" if row.fine else "WRONG") for row in rows]
    widths = [max(len(line[column]) for line in [heads, *lines]) for column in range(len(heads))]
    written: list[str] = []
    for row, line in zip([None, *rows], [heads, *lines], strict=True):
        if row and (not written or f"\n{row.exercise}" not in written):
            written.append(f"\n{row.exercise}")
        written.append("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    return "\n".join(written)


def drill(folder: Path, factor: float, names: list[str]) -> list[Row]:
    """Run the exercises side by side in ``folder`` and return all rows, in the exercises' order."""
    began = time.monotonic()
    lock = threading.Lock()

    def say(text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - began), 60)
        with lock:
            print(f"{minutes:2}:{seconds:02} {text}", flush=True)

    with ThreadPoolExecutor(len(names)) as pool:
        runs = []
        for name in names:
            own = folder / name.replace(" ", "-")
            runs.append(
                pool.submit(fleets.run, DEMOS[name], own, say)
                if name in DEMOS
                else pool.submit(run, name, own, factor, say)
            )
        return [row for each in runs for row in each.result()]


def programs() -> None:
    """Find every program, or get what is missing as `make up` does; raises MissingProgramError where nobody has it."""

    def found() -> None:
        for name in ("prometheus", "alertmanager", "amtool"):
            find(name)
        grafana_home()

    try:
        found()
    except MissingProgramError as error:
        print(f"{error}; getting it", flush=True)
        tools.ensure(ROOT, os.environ)
        found()


def main() -> int:
    """Drill and print the table; 0 when all is as expected, 1 when not, 2 when a program is missing."""
    options = arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        programs()
    except (MissingProgramError, tools.MissingProgramError) as error:
        print(error, file=sys.stderr)
        return 2
    names = list(dict.fromkeys(options.only or [*EXERCISES, *(DEMOS if options.factor == 1 else ())]))
    if options.keep:
        options.keep.mkdir(parents=True)
        rows = drill(options.keep, options.factor, names)
    else:
        with tempfile.TemporaryDirectory(prefix="eddie-drill-") as folder:
            rows = drill(Path(folder), options.factor, names)
    wrong = sum(not row.fine for row in rows)
    print(f"{table(rows)}\n\n{len(rows) - wrong} as expected, {wrong} not; timings divided by {options.factor:g}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
