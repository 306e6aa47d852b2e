"""The rig's copy of the shipped configuration: as it is, or with every duration divided by one factor."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path

import derive_timings
from rig.programs import ROOT
from stack.native_files import known_to

PARTS = ("prometheus", "alertmanager", "grafana/provisioning")
GRAFANA_TICK = 1  # seconds, with a factor


def lay(folder: Path, factor: float) -> Path:
    """Copy the configuration into ``folder``, with timings ``factor`` times as fast, and return ``folder``."""
    if factor != 1:
        # The rig lets Grafana evaluate in steps as short as this; elsewhere its scheduler knows 10 s and no finer.
        derive_timings.derive(Fraction(factor).limit_denominator(1000), folder, step=GRAFANA_TICK)
        return folder
    for part in PARTS:
        shutil.copytree(ROOT / part, folder / part, symlinks=False)
    return folder


def address(tree: Path, ports: dict[str, int]) -> None:
    """Write the target files of a copied tree: the same names as the shipped ones, addresses of this rig."""
    targets = tree / "prometheus" / "targets"
    for old in targets.glob("*.json"):
        old.unlink()
    names = {"exporter": "eddie-metrics", "alertmanager": "alertmanagers"}
    for service, port in ports.items():
        file = targets / f"{names.get(service, service)}.json"
        file.write_text(json.dumps([{"targets": [f"127.0.0.1:{port}"]}]), encoding="utf-8")
    secrets = tree / "prometheus" / "secrets"
    secrets.mkdir(exist_ok=True)
    (secrets / "read_token").write_text("unused\n", encoding="utf-8")
    for kind in ("rules", "targets", "scrape"):
        (tree / "prometheus" / "local" / kind).mkdir(parents=True, exist_ok=True)


def for_older(tree: Path, version: tuple[int, int]) -> None:
    """Drop from prometheus.yml the lines that a Prometheus as old as ``version`` does not know."""
    file = tree / "prometheus" / "prometheus.yml"
    file.write_text(known_to(version, file.read_text(encoding="utf-8")), encoding="utf-8")
