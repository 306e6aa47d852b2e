"""A real Grafana for a test, with the shipped settings and provisioning, and what a test asks of it."""

from __future__ import annotations

import base64
import json
import math
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.eventually import eventually

from eddie_board.queries import SCRAPE, rounded
from fleet.web import ask
from rig.asking import expect
from rig.engine import Engine, free_port
from rig.programs import ROOT, MissingProgramError, grafana_home
from rig.stack import Stack

SHIPPED = ROOT / "grafana" / "provisioning"
PASSWORD = "a password"


@dataclass(frozen=True)
class Grafana:
    """A running Grafana: its address, and its log."""

    url: str
    log: Path

    def ask(self, path: str, body: Any = None) -> Any:
        """Return the JSON of an API call as admin; raises UnexpectedError with the answer unless it is 200."""
        credentials = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
        sent = None if body is None else json.dumps(body).encode()
        answer = ask(f"{self.url}{path}", sent, headers=headers, timeout=20.0)
        expect(answer.status == 200, f"expected 200 from {path}, got {answer.status}: {answer.text[:500]}")
        return answer.json()

    def errors(self) -> list[str]:
        """Return the lines of its log that are errors, or that say a part of the provisioning was not taken."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [line for line in lines if re.search(r"level=(error|critical|fatal)|Failed to provision|^Error: ", line)]

    def rules(self) -> dict[str, dict[str, Any]]:
        """Return every alert rule with its state by name."""
        groups = self.ask("/api/prometheus/grafana/api/v1/rules")["data"]["groups"]
        return {rule["name"]: rule for group in groups for rule in group["rules"]}

    def query(self, target: dict[str, Any], start: float, end: float, points: int) -> dict[str, Any]:
        """Return what the data source answers to one query, macros and all, as the page would ask it."""
        interval = max(rounded((end - start) / points), SCRAPE)
        asked = {**target, "maxDataPoints": points, "intervalMs": int(interval * 1000)}
        body = {"queries": [asked], "from": str(int(start * 1000)), "to": str(int(end * 1000))}
        answer: dict[str, Any] = self.ask("/api/ds/query", body)["results"][target["refId"]]
        expect("error" not in answer, f"expected data, got {answer.get('error')} for {target['expr']}")
        return answer


def settings() -> dict[str, str]:
    """Read the shipped grafana.env, as Compose and native mode do."""
    lines = (ROOT / "grafana" / "grafana.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def home_or_skip() -> Path:
    """Return a Grafana's folder, or skip the test with what is missing."""
    try:
        return grafana_home()
    except MissingProgramError as error:
        pytest.skip(str(error))


def engine(folder: Path, home: Path, stack: Stack, provisioning: Path) -> Engine:
    """Build a Grafana that asks ``stack``; data, secrets and the user's empty dashboards lie in ``folder``."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    for name in ("plugins", "local"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, secret in (("admin_password", PASSWORD), ("secret_key", "a key of a test's own")):
        (folder / name).write_text(secret)
    environment = {
        **settings(),
        "GF_PATHS_DATA": str(folder),
        "GF_PATHS_LOGS": str(folder / "log"),
        "GF_PATHS_PLUGINS": str(folder / "plugins"),
        "GF_PATHS_PROVISIONING": str(provisioning),
        "GF_SERVER_HTTP_ADDR": "127.0.0.1",
        "GF_SERVER_HTTP_PORT": str(port),
        "GF_SERVER_ROOT_URL": f"{url}/",
        "GF_SECURITY_ADMIN_PASSWORD": f"$__file{{{folder / 'admin_password'}}}",
        "GF_SECURITY_SECRET_KEY": f"$__file{{{folder / 'secret_key'}}}",
        "EDDIE_ENVIRONMENT": "test",
        "EDDIE_PROMETHEUS_URL": stack.url("prometheus"),
        "EDDIE_ALERTMANAGER_URL": stack.url("alertmanager"),
        "EDDIE_EXPORTER_PUBLIC_URL": "http://exporter.example:8503",
        "EDDIE_DASHBOARDS_PATH": str(provisioning / "dashboards"),
        "EDDIE_LOCAL_DASHBOARDS_PATH": str(folder / "local"),
    }
    command = [str(home / "bin/grafana"), "server", "--homepath", str(home)]
    return Engine("grafana", command, url, "/api/health", folder / "grafana.log", environment, folder)


@contextmanager
def launched(folder: Path, stack: Stack, provisioning: Path) -> Iterator[Grafana]:
    """Start a Grafana without waiting, and end it when the block is left; skip where there is none."""
    built = engine(folder, home_or_skip(), stack, provisioning)
    try:
        built.launch()
        yield Grafana(built.url, built.log)
    finally:
        built.stop()


@contextmanager
def running(folder: Path, stack: Stack) -> Iterator[Grafana]:
    """Run a Grafana with the shipped provisioning on ``stack`` until the block is left.

    It says that it is healthy before it has read all of the provisioning, of which dashboards come last.
    """
    with launched(folder, stack, SHIPPED) as grafana:
        eventually(lambda: grafana.ask("/api/dashboards/uid/eddie-distributed-fallback"), within=90)
        yield grafana


def provisioning_with(folder: Path, name: str, old: str, new: str) -> Path:
    """Copy the shipped provisioning with ``old`` in the file ``name`` replaced by ``new``."""
    copied = Path(shutil.copytree(SHIPPED, folder / "provisioning"))
    text = (copied / name).read_text()
    assert old in text, f"expected {old!r} in {name}, so that it can be broken"
    (copied / name).write_text(text.replace(old, new, 1))
    return copied


def numbers(answer: dict[str, Any]) -> list[float]:
    """Return every finite number of a data source's answer; its first column is the time."""
    return list(_finite(column for frame in answer.get("frames", []) for column in frame["data"]["values"][1:]))


def _finite(columns: Iterable[list[Any]]) -> Iterator[float]:
    for column in columns:
        yield from (value for value in column if isinstance(value, int | float) and math.isfinite(value))
