#!/usr/bin/env python3
"""Send one event by hand and watch it arrive: the curl line it stands for, the answer, and what Prometheus says then.

Needs Python 3.11 and nothing else. `make send KIND=timeout ARGS='agent_id=a1 reason=deadline'` calls it.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import threading
import time
import urllib.parse
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "exporter/src"))  # the contract, where it is not installed

from eddie_metrics.ids import uuid7  # noqa: E402 - after the path above
from fleet import moves  # noqa: E402
from fleet.web import Answer, UnreachableError, ask, token_from  # noqa: E402
from fleet.words import WordsError, event_from  # noqa: E402

PATIENCE = 16.0  # seconds: one scrape interval of 15 s and the scrape itself
PAUSES = (0.5, 1.0, 2.0)  # seconds between tries: a restart of the exporter takes one
AGAIN = frozenset({429, 500, 502, 503, 504, 507})  # answers that say nothing against the event itself
EVERY = 0.5
PAUSE = threading.Event()  # never set: its wait is a pause that Ctrl-C ends at once


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line, with the ports of the environment (the Makefile's, from `.env`) as defaults."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    exporter, prometheus = (os.environ.get(key) or usual for key, usual in _PORTS)
    parser.add_argument("kind", help="kind of the event, such as timeout")
    parser.add_argument("fields", nargs="*", metavar="name=value", help="its fields, such as agent_id=a1")
    parser.add_argument("--url", default=f"http://127.0.0.1:{exporter}", help="the exporter (%(default)s)")
    parser.add_argument("--prometheus", default=f"http://127.0.0.1:{prometheus}", help="(%(default)s)")
    parser.add_argument("--token-file", type=Path, default=ROOT / "secrets/exporter/ingest_token")
    parser.add_argument("--patience", type=float, default=PATIENCE, help="seconds to wait for a scrape (%(default)s)")
    return parser.parse_args(words)


_PORTS = (("EDDIE_PORT", "8503"), ("PROMETHEUS_PORT", "9090"))


def curl(url: str, body: str, token_file: Path | None) -> str:
    """Return the line to type for the same request; the token's file is named, the token is not shown."""
    parts = ["curl", "-sS"]
    if token_file:
        file = shlex.quote(str(token_file))
        lines = token_file.read_text(encoding="utf-8").split("\n")
        plain = len(lines[0].split()) == 1 and not any(lines[1:])
        read = f"cat {file}" if plain else f"awk 'NR==1{{print $NF}}' {file}"
        parts.append(f'-H "Authorization: Bearer $({read})"')
    return " ".join([*parts, "-d", shlex.quote(body), shlex.quote(url)])


def value(prometheus: str, query: str) -> float | None:
    """Return the sum of what a query gives now, None where there is no such series; raises UnreachableError."""
    address = f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    answer = ask(address)
    if answer.status != 200:
        raise UnreachableError(f"{address} answered {answer.status}: {answer.text[:200]}")
    result: list[dict[str, Any]] = answer.json()["data"]["result"]
    return sum(float(each["value"][1]) for each in result) if result else None


def scraped_after(prometheus: str, moment: float, patience: float) -> bool:
    """Wait until Prometheus has scraped the exporter after ``moment`` (unix seconds); False when it has not in time."""
    deadline = time.monotonic() + patience
    while True:
        seen = value(prometheus, moves.SCRAPED)
        if seen is not None and seen >= moment:
            return True
        if time.monotonic() >= deadline:
            return False
        PAUSE.wait(EVERY)


def number(seen: float | None) -> str:
    """Write a sample's value as a person would, or that there is none."""
    return "no series" if seen is None else f"{seen:.10g}"


def report(prometheus: str, before: dict[str, float | None], moment: float, patience: float) -> int:
    """Print what Prometheus says before and after the event; return 1 when it did not scrape in time."""
    print(f"Prometheus at {prometheus} (scrapes every 15 s):")
    if not scraped_after(prometheus, moment, patience):
        print(
            f"  expected a scrape of job {moves.JOB} within {patience:.0f} s, saw none; look at {prometheus}/targets"
            f" or ask: curl -s '{prometheus}/api/v1/targets?state=active'",
            file=sys.stderr,
        )
        return 1
    for query, old in before.items():
        new = value(prometheus, query)
        print(f"  {query}: {number(old)} → {number(new)}{'' if new != old else '  (unchanged)'}")
    return 0


def post(url: str, body: str, token_file: Path | None) -> Answer:
    """Post the event, again where the exporter is away or busy: by its id it counts once, whichever try arrived.

    Raises UnreachableError when nobody answers the last try, ValueError when the token file is empty.
    """
    headers = {"Content-Type": "application/json"}
    if token_file:
        headers["Authorization"] = f"Bearer {token_from(token_file)}"
    for pause in PAUSES:
        try:
            answer = ask(url, body.encode(), headers=headers)
        except UnreachableError as error:
            why = str(error)
        else:
            if answer.status not in AGAIN:
                return answer
            why = f"{answer.status} {answer.text.strip()}"
        print(f"{why}; the same event again in {pause:g} s", file=sys.stderr)
        PAUSE.wait(pause)
    return ask(url, body.encode(), headers=headers)


def main(words: list[str] | None = None) -> int:
    """Send one event and say what became of it; 0 counted and seen, 1 not, 2 a wrong call."""
    options = arguments(words)
    try:
        event = event_from(options.kind, options.fields)
    except WordsError as error:
        print(error, file=sys.stderr)
        return 2
    event.setdefault("id", uuid7())
    token_file = options.token_file if options.token_file.is_file() else None
    url, body = f"{options.url.rstrip('/')}/events/{options.kind}", json.dumps(event)
    prometheus = options.prometheus.rstrip("/")
    before: dict[str, float | None] | None = None
    try:
        before = {query: value(prometheus, query) for query in moves.queries(options.kind, event)}
    except UnreachableError as error:
        print(f"{error}; the event is sent all the same", file=sys.stderr)
    print(curl(url, body, token_file))
    print("(typed again it is the same event, by its id, and counts once; without the id it counts each time)")
    try:
        answer = post(url, body, token_file)
    except (UnreachableError, ValueError) as error:
        print(f"{error}; `make status` says what runs, `make up` starts it", file=sys.stderr)
        return 1
    print(f"{answer.status} {answer.text.strip()}")
    if answer.status != 202 or before is None:
        return 1
    try:
        return report(prometheus, before, time.time(), options.patience)
    except UnreachableError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
