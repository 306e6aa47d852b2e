"""The rig's copy of the shipped configuration: as it is, or with every duration divided by one factor."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from rig.programs import ROOT

PARTS = ("prometheus", "alertmanager", "grafana/provisioning")


def lay(folder: Path, factor: float) -> Path:
    """Copy the configuration into ``folder``, with timings ``factor`` times as fast, and return ``folder``."""
    if factor != 1:
        script = ROOT / "scripts" / "derive_timings.py"
        done = subprocess.run(
            [sys.executable, str(script), f"{factor:g}", str(folder)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(
                f"expected {script} to derive timings by {factor:g}, it said:\n{done.stderr}{done.stdout}"
            )
    for part in PARTS:
        if not (folder / part).exists():
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
    if version < (2, 43):
        file = tree / "prometheus" / "prometheus.yml"
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        file.write_text("".join(line for line in lines if not line.rstrip().endswith("# from 2.43")), encoding="utf-8")
