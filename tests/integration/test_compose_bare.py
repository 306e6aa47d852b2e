"""compose.yaml by itself: valid without settings, closed beyond loopback, up on a clean clone, down without a trace."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from tests.support.composed import Composed, left
from tests.support.programs import ROOT


def test_compose_reads_it_without_settings() -> None:
    """compose.yaml is valid on a clean clone, and no daemon is asked."""
    if shutil.which("docker") is None or subprocess.run(["docker", "compose", "version"], check=False).returncode:
        pytest.skip("no Docker Compose")
    command = ["docker", "compose", "--env-file", os.devnull, "config", "--quiet"]
    env = {key: value for key, value in os.environ.items() if not key.endswith("_IMAGE")}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("bind", "asked"), [("192.0.2.1", True), (None, False)])
def test_published_beyond_loopback_it_asks_for_tokens(bind: str | None, asked: bool, tmp_path: Path) -> None:
    """Who sends always needs a token; who reads, only with EDDIE_BIND, even in a bare `docker compose up`."""
    stack = Composed(tmp_path, "eddie-test", more={"EDDIE_BIND": bind} if bind else {})
    if shutil.which("docker") is None:
        pytest.skip("no Docker Compose")
    exporter = json.loads(stack.docker("compose", "config", "--format", "json"))["services"]["exporter"]
    assert exporter["environment"]["EDDIE_INGEST_TOKEN_FILE"]
    assert bool(exporter["environment"]["EDDIE_READ_TOKEN_FILE"]) is asked
    assert exporter["ports"][0]["host_ip"] == (bind or "127.0.0.1")


def test_a_taken_port_stops_it_before_anything_starts(tmp_path: Path) -> None:
    """The message names the port, who has it and the key for another; no container was made."""
    stack = Composed(tmp_path, f"eddie-test-taken-{os.getpid()}")
    stack.need()
    with socket.create_server(("127.0.0.1", stack.ports["prometheus"])):
        done = stack.command("up")
    assert done.returncode == 1
    assert (
        f"port {stack.ports['prometheus']} for prometheus: expected it free, but process {os.getpid()} (" in done.stderr
    )
    assert "set PROMETHEUS_PORT to another port in .env" in done.stderr
    assert left(stack.project) == []


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Copy what git knows, as a clean clone has it: no settings, no secrets."""
    known = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, known.split("\0")):
        if (ROOT / name).is_file():
            (tmp_path / "clone" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tmp_path / "clone" / name)
    return tmp_path / "clone"


def test_a_bare_compose_up_works_and_down_leaves_nothing(clone: Path) -> None:
    """On a clean clone `docker compose up` makes its own secrets; `down` leaves no container, network or port."""
    images = {
        key: value for key, value in Composed(clone, "eddie-test").context().env.items() if key.endswith("_IMAGE")
    }
    shutil.copy(ROOT / ".env", clone / ".env") if (ROOT / ".env").is_file() else None
    stack = Composed(clone, f"eddie-test-bare-{os.getpid()}", root=clone, more=images)
    stack.need()
    stack.more |= {"EDDIE_SECRETS": str(clone / "secrets")}
    try:
        stack.docker("compose", "up", "--detach", "--wait", "exporter", "prometheus", "alertmanager")
        assert stack.get("exporter", "/health")["status"]
        assert (clone / "secrets" / "grafana" / "admin_password").read_text().strip()
        assert (clone / "secrets").stat().st_uid == clone.stat().st_uid
        stack.docker("compose", "down", "--timeout", "5")
        assert left(stack.project) == []
        for port in stack.ports.values():
            socket.create_server(("127.0.0.1", port)).close()
        assert len(stack.docker("volume", "ls", "-q", "--filter", f"name={stack.project}").split()) >= 3
    finally:
        stack.remove()
