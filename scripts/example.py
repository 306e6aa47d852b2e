"""The example against a real stack: run it, then compare its own ledger with what Prometheus says, number by number.

`make example` runs this; by hand: `scripts/example.py --exporter URL --prometheus URL`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleet.moves import JOB
from rig.asking import Asking
from rig.programs import ROOT

FOLDER = ROOT / "examples/fallback"
SOURCES = ROOT / "exporter/src"
"""Where the client is, for an example that did not install it."""
IN_CONTAINERS = "/eddie"

TOTALS: dict[str, tuple[str, ...]] = {
    "task_split_total": ("splits",),
    "task_split_chunks_total": ("chunks",),
    "timeout_events_total": ("timeouts",),
    "fallback_depth_exceeded_total": ("depth_exceeded",),
    "task_success_total": ("tasks_ok",),
    "task_failure_total": ("tasks_failed",),
    "task_execution_seconds_count": ("tasks_ok", "tasks_failed"),
    "chunk_execution_seconds_count": ("chunks_success", "chunks_timeout"),
    'eddie_chunk_outcomes_total{outcome="success"}': ("chunks_success",),
    'eddie_chunk_outcomes_total{outcome="timeout"}': ("chunks_timeout",),
    "agent_tasks_executed_total": ("tasks_ok", "tasks_failed", "chunks_success", "chunks_timeout"),
    "merge_chunks_combined_total": ("kept",),
    "merge_deduplication_total": ("dropped",),
    'docker_elastic_adjustment_total{resource_type="cpu"}': ("adjustments_cpu",),
    'docker_elastic_adjustment_total{resource_type="memory"}': ("adjustments_memory",),
}
"""For each total of Prometheus the counts of the ledger that it is the sum of."""


@dataclass(frozen=True)
class Row:
    """One total: what the ledger counted, and by how much Prometheus's total grew."""

    total: str
    ledger: int
    prometheus: float

    @property
    def equal(self) -> bool:
        """Whether both say the same."""
        return self.ledger == self.prometheus


def totals(stack: Asking) -> dict[str, float]:
    """Return the sum of each total over everybody, now; 0 where there is no series yet."""
    found = {}
    for total in TOTALS:
        name, _, labels = total.rstrip("}").partition("{")
        selector = f'{name}{{job="{JOB}"{labels and f",{labels}"}}}'
        found[total] = sum(stack.samples(f"sum({selector})").values())
    return found


def compared(ledger: Mapping[str, int], before: Mapping[str, float], after: Mapping[str, float]) -> list[Row]:
    """Return a row for each total."""
    return [
        Row(total, sum(ledger.get(name, 0) for name in names), after[total] - before[total])
        for total, names in TOTALS.items()
    ]


def table(rows: list[Row]) -> str:
    """Return the rows as text."""
    lines = [f"{'total':58}{'ledger':>8}{'Prometheus':>12}"]
    lines += [f"{row.total:58}{row.ledger:8}{row.prometheus:12g}{'' if row.equal else '  UNEQUAL'}" for row in rows]
    return "\n".join(lines)


def environment(url: str, **more: str) -> dict[str, str]:
    """Return the environment the example runs in: the caller's, but the exporter's address alone of EDDIE_*."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("EDDIE_")}
    return {**own, "PYTHONPATH": str(SOURCES), "EDDIE_URL": url, "EDDIE_AGENT_ID": "example-manager", **more}


def docker_words(url: str, network: str, **more: str) -> list[str]:
    """Return what a container of an agent needs to find the client and the exporter: further words for docker run."""
    words = [f"--network={network}", f"--volume={SOURCES}:{IN_CONTAINERS}:ro", f"--env=PYTHONPATH={IN_CONTAINERS}"]
    words += ["--env=PYTHONDONTWRITEBYTECODE=1", f"--env=EDDIE_URL={url}"]
    words += [f"--env={name}={value}" for name, value in more.items()]
    return [f"--run={word}" for word in words]


def start(env: dict[str, str], *words: str, folder: Path = FOLDER) -> subprocess.Popen[str]:
    """Start the example; its last line on standard output is its result."""
    command = [sys.executable, str(folder / "docker_orchestrator.py"), *words]
    return subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)


def result(process: subprocess.Popen[str], within: float) -> dict[str, Any]:
    """Wait for the example and return what it printed; raises ValueError when it found a wrong number, or nothing."""
    try:
        said, _ = process.communicate(timeout=within)
    finally:
        process.kill()
    if process.returncode:
        raise ValueError(f"the example: expected exit 0, got {process.returncode}: {said[-500:]}")
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def usable(image: str) -> str:
    """Return the image when an engine has it or can get it, else nothing: then agents are processes."""
    for command, within in ((["image", "inspect"], 10), (["pull", "--quiet"], 120)):
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(["docker", *command, image], capture_output=True, check=True, timeout=within)
            return image
    print(f"no Docker here that has the image {image}: the agents are processes", flush=True)
    return ""


def reached(image: str, network: str, url: str) -> str:
    """Return the image when a container of that network reaches the exporter, else nothing: it would lose its events.

    With an engine in a virtual machine the host's network is that machine's.
    """
    ask = f"import urllib.request as u; u.urlopen('{url}/health/live', timeout=5)"
    command = ["docker", "run", "--rm", f"--network={network}", "--entrypoint", "python3", image, "-c", ask]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run(command, capture_output=True, check=True, timeout=60)
        return image
    print(f"a container in the network {network} does not reach {url}: the agents are processes", flush=True)
    return ""


def main() -> int:
    """Run it and compare; return 1 when a number differs."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--exporter", required=True, help="its address")
    parser.add_argument("--prometheus", required=True, help="its address")
    parser.add_argument("--inside", help="the exporter's address for containers, where it is another one")
    parser.add_argument("--network", default="host", help="of the agents' containers (%(default)s)")
    parser.add_argument("--image", default="", help="for the agents' containers; without one they are processes")
    parser.add_argument("--token-file", type=Path)
    parser.add_argument("--rounds", default="10")
    options = parser.parse_args()
    words, more = ["--rounds", options.rounds], dict[str, str]()
    inside = options.inside or options.exporter
    image = options.image and usable(options.image)
    image = image and reached(image, options.network, inside)
    if options.token_file and options.token_file.is_file():
        more["EDDIE_TOKEN_FILE"] = str(options.token_file)
    if image:
        theirs = dict.fromkeys(more, f"{IN_CONTAINERS}-token")
        words += ["--image", image, *docker_words(inside, options.network, **theirs)]
        words += [f"--run=--volume={path}:{IN_CONTAINERS}-token:ro" for path in more.values()]
    stack = Asking({"exporter": options.exporter, "prometheus": options.prometheus})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # asked to stop: the example ends with it
    stack.scraped(time.time(), within=60)
    before = totals(stack)
    print(f"the example runs: {options.rounds} rounds, agents in {'containers' if image else 'processes'}", flush=True)
    found = result(start(environment(options.exporter, **more), *words), within=900)
    print(f"{found['primes']} primes in {found['seconds']} s; waiting for Prometheus's next scrape", flush=True)
    stack.scraped(time.time(), within=60)
    rows = compared(found["ledger"], before, totals(stack))
    print(table(rows), flush=True)
    unequal = [row.total for row in rows if not row.equal]
    print(f"unequal: {', '.join(unequal)}" if unequal else "equal: every number", flush=True)
    return 1 if unequal else 0


if __name__ == "__main__":
    sys.exit(main())
