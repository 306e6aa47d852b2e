"""The drill's look at the demo: each scenario brings its own alert into the inbox in time, and no other."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fleet.scenarios import SCENARIOS
from fleet.web import ask
from rig.engine import PAUSE, wait_for
from rig.exercises import Row
from rig.programs import ROOT
from rig.stack import Stack

WITHIN = 180.0  # seconds from the fleet's start to the inbox
WATCHED = 600.0  # seconds in which no other alert may come: twice the longest window of a rule
STACK_ALERTS = {"Watchdog"}


def inbox(stack: Stack) -> set[str]:
    """Return the names of the alerts that fired into the exporter's inbox, the heartbeat excepted."""
    summary: dict[str, Any] = ask(f"{stack.urls['exporter']}/metrics/summary").json()
    return {each["alertname"] for each in summary["notifications"] if each["status"] == "firing"} - STACK_ALERTS


def run(name: str, folder: Path, say: Callable[[str], None]) -> list[Row]:
    """Let a scenario live for ten minutes at shipped timings and return what its inbox got."""
    folder.mkdir(parents=True)
    alert = SCENARIOS[name].alert
    exercise, rows = f"demo {name}", list[Row]()

    def note(subject: str, expected: str, seen: str, *, fine: bool) -> None:
        rows.append(Row(exercise, subject, expected, seen, fine))
        say(f"{exercise}: {subject}: {seen}{'' if fine else f' - EXPECTED {expected}'}")

    with Stack(folder) as stack, (folder / "fleet.log").open("wb") as log:
        stack.start()
        stack.scraped(time.time())
        script = str(ROOT / "scripts/demo_fleet.py")
        command = [sys.executable, script, "--url", stack.urls["exporter"], "--scenario", name]
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        began = time.monotonic()
        try:
            if alert:
                came = wait_for(lambda: alert in inbox(stack), WITHIN, every=1.0)
                seen = f"after {time.monotonic() - began:.0f} s" if came else "no"
                note(f"{alert} in the inbox", f"within {WITHIN:.0f} s", seen, fine=came)
            PAUSE.wait(max(0.0, WATCHED - (time.monotonic() - began)))
            others = sorted(inbox(stack) - {alert})
            note("other alerts in ten minutes", "none", ", ".join(others) or "none", fine=not others)
        finally:
            process.terminate()
            ended = process.wait(15)
        note("the fleet, asked to stop", "exit 0", f"exit {ended}", fine=ended == 0)
    return rows
