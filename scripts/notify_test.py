#!/usr/bin/env python3
"""Told, tried out: one real alert to each configured receiver, through the running Alertmanager, and what it answered.

Needs Python 3.11 and nothing else; `make notify-test` calls it. Each receiver gets an alert of its own, by the route
for `eddie_notify_test` in alertmanager/parts/route.yml. Whether it was taken is what Alertmanager itself counts for
that receiver (`alertmanager_notification_requests_total` and `..._failed_total`); a refusal's words are in its log,
which is read where this stack keeps it. A person gets two messages: the test, and ten seconds later that it is over.

Exit 0: at least one person is told, and every receiver took its alert. 1: a receiver refused or did not answer, or
nobody is told. 2: wrong call, or no Alertmanager.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fleet.web import UnreachableError, ask
from stack.settings import load

ROOT = Path(__file__).resolve().parent.parent
NOBODY = "nobody-is-told"
NO_PERSONS = {"inbox", "deadman", NOBODY}
PATIENCE = 15.0  # seconds: Alertmanager tries again meanwhile, so a receiver that hiccups once still counts as fine
EVERY = 0.1
PAUSE = threading.Event()  # never set: its wait is a pause that Ctrl-C ends at once
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Counts:
    """What Alertmanager has counted for one receiver."""

    attempts: float
    failed: float
    given_up: float
    seconds: float

    @property
    def taken(self) -> float:
        """Attempts that the receiver answered with success."""
        return self.attempts - self.failed


class Alertmanager:
    """The running Alertmanager; every call raises UnreachableError when it does not answer as it should."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def receivers(self) -> list[str]:
        """Names of the receivers it has, in the configuration's order."""
        return [receiver["name"] for receiver in json.loads(self._get("/api/v2/receivers"))]

    def counts(self, receiver: str) -> Counts:
        """Read a receiver's counters; raises UnreachableError when they do not say the receiver's name."""
        text = self._get("/metrics")
        if "receiver_name=" not in text:
            raise UnreachableError(
                f"expected counters with receiver_name at {self.url}/metrics, got none: start Alertmanager by"
                " alertmanager/start.sh, whose flags ask for them"
            )

        def total(name: str) -> float:
            line = rf'^alertmanager_{name}{{[^}}]*receiver_name="{re.escape(receiver)}"[^}}]*}} (\S+)$'
            return sum(map(float, re.findall(line, text, re.MULTILINE)))

        return Counts(
            attempts=total("notification_requests_total"),
            failed=total("notification_requests_failed_total"),
            given_up=total("notifications_failed_total"),
            seconds=total("notification_latency_seconds_sum"),
        )

    def alert(self, labels: Mapping[str, str], annotations: Mapping[str, str], ends: datetime) -> None:
        """Say that an alert fires until `ends`."""
        body = json.dumps([{"labels": labels, "annotations": annotations, "endsAt": ends.isoformat()}]).encode()
        answer = ask(f"{self.url}/api/v2/alerts", body, headers=JSON)
        if answer.status != 200:
            raise UnreachableError(f"expected 200 from {self.url}, got {answer.status}: {answer.text[:300]}")

    def _get(self, path: str) -> str:
        answer = ask(f"{self.url}{path}")
        if answer.status != 200:
            raise UnreachableError(f"expected 200 from {self.url}{path}, got {answer.status}: {answer.text[:300]}")
        return answer.text


def try_out(alertmanager: Alertmanager, receiver: str, environment: str, log: Callable[[], str]) -> tuple[bool, str]:
    """Send one alert to one receiver and say whether it was taken, and what there is to tell about it."""
    mark = uuid.uuid4().hex
    labels = {
        "alertname": "EddieNotifyTest",
        "severity": "info",
        "environment": environment,
        "eddie_notify_test": receiver,
        "eddie_notify_test_id": mark,
    }
    annotations = {
        "summary": f"Test: alerts reach {receiver}. Nothing is wrong",
        "description": "Somebody ran `make notify-test`. This alert is over in a few seconds.",
    }
    before = alertmanager.counts(receiver)
    alertmanager.alert(labels, annotations, datetime.now(UTC) + timedelta(minutes=5))
    try:
        return verdict(alertmanager, receiver, before, lambda: answers(log(), mark, receiver))
    finally:
        alertmanager.alert(labels, annotations, datetime.now(UTC))


def verdict(
    alertmanager: Alertmanager, receiver: str, before: Counts, refused: Callable[[], list[str]]
) -> tuple[bool, str]:
    """Wait until the receiver has taken the alert, or has not for PATIENCE seconds."""
    deadline = time.monotonic() + PATIENCE
    while True:
        now = alertmanager.counts(receiver)
        tries = now.attempts - before.attempts
        if now.taken > before.taken:
            spent = 1000 * (now.seconds - before.seconds)
            return True, f"taken, its answer was a success (attempts: {tries:.0f}, {spent:.0f} ms)"
        if now.given_up > before.given_up or time.monotonic() >= deadline:
            break
        PAUSE.wait(EVERY)
    if tries == 0:
        return False, f"Alertmanager sent nothing within {PATIENCE:.0f} s; is a silence active for EddieNotifyTest?"
    said = refused()
    return False, f"refused (attempts: {tries:.0f}): {said[-1] if said else 'its log does not say why'}"


def reader(file: Path | None) -> Callable[[], str]:
    """Give a way to read Alertmanager's log: this file, or what this stack kept last, in whichever mode it runs."""
    if file:
        return lambda: file.read_text(encoding="utf-8", errors="replace")
    command = [sys.executable, str(ROOT / "scripts" / "stack"), "logs", "alertmanager"]
    return lambda: subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL).stdout


def answers(log: str, mark: str, receiver: str) -> list[str]:
    """Pick the errors of one test and one receiver out of Alertmanager's log: there the receiver's own words stand."""
    own = rf"\breceiver={receiver} |\berr=\"{receiver}/"  # the inbox's copy carries the same mark
    lines = [line for line in log.splitlines() if mark in line and re.search(own, line)]
    found = [re.search(r'\berr="((?:[^"\\]|\\.)*)"', line) for line in lines]
    return [match[1].replace('\\"', '"') for match in found if match]


def arguments(words: list[str] | None, env: Mapping[str, str]) -> argparse.Namespace:
    """Read the command line, with this stack's settings as defaults."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    port = env["ALERTMANAGER_PORT"]
    parser.add_argument("--url", default=f"http://127.0.0.1:{port}", help="the Alertmanager (%(default)s)")
    parser.add_argument("--log", type=Path, help="its log file, where it is not this stack's own")
    parser.add_argument("receiver", nargs="*", help="only these receivers (all)")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> int:
    """Try out every receiver and print a line for each; see the module for what is returned."""
    env = load(ROOT, os.environ)
    options = arguments(words, env)
    alertmanager = Alertmanager(options.url)
    try:
        known = alertmanager.receivers()
        unknown = sorted(set(options.receiver) - set(known))
        if unknown:
            print(f"expected one of {', '.join(known)}, got {', '.join(unknown)}", file=sys.stderr)
            return 2
        log = reader(options.log)
        failed = []
        for receiver in options.receiver or [name for name in known if name != NOBODY]:
            fine, text = try_out(alertmanager, receiver, env["EDDIE_ENVIRONMENT"], log)
            print(f"{'ok    ' if fine else 'FAILED'} {receiver:10} {text}", flush=True)
            failed += [] if fine else [receiver]
    except UnreachableError as error:
        print(f"{error}; `make status` says what runs, `make up` starts it", file=sys.stderr)
        return 2
    return conclusion(known, failed)


def conclusion(known: list[str], failed: list[str]) -> int:
    """Say in one line whether a person would be told, and return the exit status."""
    persons = [name for name in known if name not in NO_PERSONS]
    if not persons:
        print(
            "NOBODY IS TOLD: no person's receiver is configured. Put an address into secrets/alertmanager/ (one of"
            " slack_url, discord_url, telegram_token and telegram_chat_id, pagerduty_key, smtp_smarthost and smtp_from"
            " and smtp_to, webhook_url), then `make down up`."
        )
        return 1
    if failed:
        print(f"{', '.join(failed)}: correct the file in secrets/alertmanager/ and try again", file=sys.stderr)
        return 1
    print(f"told: {', '.join(persons)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
