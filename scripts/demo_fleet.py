#!/usr/bin/env python3
"""Stand in for a living fleet: run the simulation in real time and post its events to the exporter until stopped.

Needs Python 3.11 and nothing else. `make demo` starts it; by hand: `scripts/demo_fleet.py --scenario deep`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "exporter/src"))  # the contract, where it is not installed

from fleet.scenarios import AGENTS, SCENARIOS, SLOW_AGENT, Scenario  # noqa: E402 - after the path above
from fleet.sender import RefusedError, Sender  # noqa: E402
from fleet.simulation import Simulation  # noqa: E402
from fleet.web import token_from  # noqa: E402

TICK = 0.25  # seconds between two looks at the clock
LINE = 5.0  # seconds between two lines
GOODBYE = 3.0  # seconds for the last events after the stop
FILE_DURATION = 600.0  # seconds of fleet in --events where no --duration says otherwise


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line; exits with 2 and a sentence when it is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    port = os.environ.get("EDDIE_PORT") or "8503"
    parser.add_argument("--url", default=f"http://127.0.0.1:{port}", help="the exporter's address (%(default)s)")
    parser.add_argument(
        "--token-file", type=Path, help="file with the ingest token (secrets/exporter/ingest_token, where it is there)"
    )
    parser.add_argument("--scenario", choices=SCENARIOS, default="storm", help="what goes wrong (%(default)s)")
    parser.add_argument("--seed", type=int, default=42, help="the same seed tells the same story (%(default)s)")
    parser.add_argument("--duration", type=_seconds, help="stop after this many seconds (until Ctrl-C or SIGTERM)")
    parser.add_argument(
        "--events",
        type=Path,
        metavar="FILE",
        help=f"write NDJSON to FILE (- is standard output) at once, without times, and post nothing; "
        f"{FILE_DURATION:.0f} s of fleet unless --duration is given",
    )
    options = parser.parse_args(words)
    if options.token_file and not options.token_file.is_file():
        parser.error(f"--token-file: expected a file, got {options.token_file}; `make up` makes secrets/exporter/")
    return options


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"expected seconds above 0, got {text!r}")
    return value


def write(scenario: Scenario, seed: int, duration: float, target: Path) -> int:
    """Write a scenario's events as NDJSON: no ids, no times, so that the same seed gives the same bytes."""
    happenings = Simulation(scenario, seed).advance(duration)
    lines = "".join(f"{json.dumps(happening.event, separators=(',', ':'))}\n" for happening in happenings)
    if str(target) == "-":
        sys.stdout.write(lines)
        return 0
    target.write_text(lines, encoding="utf-8")
    print(f"{len(happenings)} events, {duration:.0f} s of scenario {scenario.name} with seed {seed}, are in {target}")
    return 0


def line(simulation: Simulation, sender: Sender, elapsed: float) -> str:
    """Say in one line what happens: the work, the fallback, the results, and what became of the events."""
    counts = simulation.counts
    minutes, seconds = divmod(int(elapsed), 60)
    bad = counts["finished failure"] + counts["finished timeout"]
    words = (
        f"{minutes}:{seconds:02d} {simulation.scenario.name}: {simulation.running} at work, {simulation.waiting} wait"
        f" | {counts['timeout']} timeouts, {counts['task-split']} splits, {counts['chunks']} chunks,"
        f" {counts['fallback-depth-exceeded']} too deep | merged {counts['kept']}, duplicates {counts['dropped']}"
        f" | stages ok {counts['finished success']}, not {bad}"
        f" | events sent {sender.sent}, queued {sender.waiting}, lost {sender.lost}"
    )
    return f"{words}\n     {sender.trouble}" if sender.trouble else words


class Stop:
    """Whether a signal asked for the end. No Event: setting one takes a lock that the code it interrupts may hold."""

    asked = False

    def ask(self, *_: object) -> None:
        """Remember it; this is the signals' handler."""
        self.asked = True


def run(simulation: Simulation, sender: Sender, duration: float | None, stop: Stop) -> None:
    """Let the fleet live in real time until ``stop`` is asked for or ``duration`` seconds are over."""
    begun = time.monotonic()
    next_line = 0.0
    elapsed = 0.0
    while not stop.asked and (duration is None or elapsed < duration):
        elapsed = time.monotonic() - begun
        if duration is not None:
            elapsed = min(elapsed, duration)
        sender.put(simulation.advance(elapsed))
        sender.flush(sender.born + elapsed)
        if elapsed >= next_line:
            print(line(simulation, sender, elapsed), flush=True)
            next_line = elapsed + LINE
        time.sleep(TICK)
    sender.put(simulation.advance(elapsed))
    sender.flush(float("inf"), timeout=GOODBYE)  # one last try, whatever pause still runs
    sender.give_up()
    print(line(simulation, sender, elapsed), flush=True)
    print("The fleet is gone: its work in flight ends by its leases.", flush=True)


def main() -> int:
    """Write or live, as the command line says; return 0 when asked to stop, 1 when the exporter refuses."""
    options = arguments()
    scenario = SCENARIOS[options.scenario]
    if options.events:
        return write(scenario, options.seed, options.duration or FILE_DURATION, options.events)
    token = token_from(options.token_file or ROOT / "secrets/exporter/ingest_token")
    stop = Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop.ask)
    expected = f"expect {scenario.alert} within 3 minutes" if scenario.alert else "no alert is to come"
    print(f"{len(AGENTS)} agents ({SLOW_AGENT} is the slow one), scenario {scenario.name}: {expected}.", flush=True)
    sender = Sender(options.url.rstrip("/"), token, time.time())
    try:
        run(Simulation(scenario, options.seed), sender, options.duration, stop)
    except RefusedError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
