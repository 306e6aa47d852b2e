#!/usr/bin/env python3
"""Told, but not now: silences one alert in the running Alertmanager for a while, with who did it and why.

    python3 scripts/silence.py HighTimeoutEvents 2h "agents are being rolled out"

Needs Python 3.11 and nothing else; works in both modes. Both engines' alerts of that name fall silent, since the
silence names nothing but the alert. Alertmanager keeps it, also over a restart, and it ends by itself.
Exit 0: silent until the printed time. 1: Alertmanager refused or does not answer. 2: wrong call.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fleet.web import UnreachableError, ask
from stack.settings import load

ROOT = Path(__file__).resolve().parent.parent
LONGEST = timedelta(days=7)
"""A longer silence is a rule to be changed, not an alert to be silenced."""


def span(text: str) -> timedelta:
    """Read `30m`, `2h` or `1d`; raises ArgumentTypeError for anything else, and above a week."""
    found = re.fullmatch(r"([1-9]\d{0,4})([mhd])", text)
    unit = {"m": "minutes", "h": "hours", "d": "days"}
    if not found or (length := timedelta(**{unit[found[2]]: int(found[1])})) > LONGEST:
        raise argparse.ArgumentTypeError(f"expected a time such as 30m, 2h or 1d, at most 7d, got {text!r}")
    return length


def arguments(words: list[str] | None, env: Mapping[str, str]) -> argparse.Namespace:
    """Read the command line, with this stack's settings as defaults."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    port = env["ALERTMANAGER_PORT"]
    parser.add_argument("--url", default=f"http://127.0.0.1:{port}", help="the Alertmanager (%(default)s)")
    parser.add_argument("alertname")
    parser.add_argument("length", type=span, help="30m, 2h, 1d")
    parser.add_argument("why", help="for whoever finds it silent")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> int:
    """Make the silence and print until when it holds and how to end it sooner."""
    options = arguments(words, load(ROOT, os.environ))
    now = datetime.now(UTC).replace(microsecond=0)
    ends = now + options.length
    silence = {
        "matchers": [{"name": "alertname", "value": options.alertname, "isRegex": False, "isEqual": True}],
        "startsAt": now.isoformat(),
        "endsAt": ends.isoformat(),
        "createdBy": getpass.getuser(),
        "comment": options.why,
    }
    api = f"{options.url.rstrip('/')}/api/v2/silence"
    try:
        answer = ask(f"{api}s", json.dumps(silence).encode(), headers={"Content-Type": "application/json"})
    except UnreachableError as error:
        print(f"{error}; `make status` says what runs", file=sys.stderr)
        return 1
    if answer.status != 200:
        print(f"expected 200 from {api}s, got {answer.status}: {answer.text[:300]}", file=sys.stderr)
        return 1
    print(f"{options.alertname} is silent until {ends:%Y-%m-%d %H:%M} UTC; to end it sooner:")
    print(f"curl -fsS -X DELETE {api}/{answer.json()['silenceID']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
