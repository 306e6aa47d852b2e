"""Stacks of real engines for tests: found or skipped with the reason, with timings a test can wait for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.programs import ROOT, program

from rig.programs import MissingProgramError, grafana_home
from rig.stack import Stack

FACTOR = 15.0
"""How much faster than shipped: scrape and evaluation every second, a symptom over and resolved in under a minute."""


def has_grafana() -> bool:
    """Say whether this machine has a Grafana to test against."""
    try:
        grafana_home()
    except MissingProgramError:
        return False
    return True


def needs(*programs: str, grafana: bool = False) -> None:
    """Skip the test, with the reason, where one of the programs is not on this machine."""
    for name in programs:
        program(name, (3, 5) if name == "prometheus" else ())
    if grafana and not has_grafana():
        pytest.skip("no Grafana: GRAFANA_HOME names none")


@contextmanager
def native(
    folder: Path,
    *engines: str,
    grafana: bool = False,
    older: Path | None = None,
    flags: bool = True,
    factor: float = FACTOR,
) -> Iterator[Stack]:
    """Run ``engines`` (all without a name) as processes of this machine, or skip with what is missing.

    ``older`` is another Prometheus to run; without ``flags`` it runs without the feature that makes a first event
    count, which is what somebody else's Prometheus is like.
    """
    tools = ("alertmanager", "amtool") if not engines or "alertmanager" in engines else ()
    needs(*tools, *(() if older else ("prometheus",)), grafana=grafana)
    with Stack(folder, factor=factor, grafana=grafana, prometheus=older) as stack:
        if not flags:
            file = stack.tree / "prometheus/flags"
            lines = file.read_text().splitlines(keepends=True)
            kept = [line for line in lines if "created-timestamp-zero-ingestion" not in line or line.startswith("#")]
            assert len(kept) < len(lines), "expected the feature flag among the shipped flags, got none to take away"
            file.write_text("".join(kept))
        stack.start(*engines)
        yield stack


def older_prometheus() -> Path:
    """Return the distribution's older Prometheus: PROMETHEUS_OLD, else the one `.ci/machine` unpacked, or skip."""
    unpacked = ROOT / ".tools/prometheus-old/usr/bin/prometheus"
    named = Path(os.environ.get("PROMETHEUS_OLD") or unpacked)
    if not named.is_file():
        pytest.skip(f"no older Prometheus: PROMETHEUS_OLD names none, and .ci/machine left none in {unpacked.parent}")
    return named
