"""The board in containers, for real: in a missing Grafana's place, making room for it, and beside it."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator

import pytest
from tests.support.composed import Composed, left
from tests.support.probes import INSIDE

MISSING = {"GRAFANA_IMAGE": "eddie-standin/none:1"}
"""An image that no registry has."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    """Run one stack without a Grafana."""
    stack = Composed(tmp_path_factory.mktemp("board"), f"eddie-test-board-{os.getpid()}", more=dict(MISSING))
    stack.need()
    try:
        done = stack.command("up")
        assert done.returncode == 0, done.stdout + done.stderr
        if "board is left out" in done.stdout:
            pytest.skip(f"the board's image cannot be built here: {done.stderr.strip().splitlines()[-1:]}")
        yield stack
    finally:
        stack.remove()


def port(stack: Composed) -> list[dict[str, str]]:
    """Answer where the board is published."""
    published: dict[str, list[dict[str, str]]] = stack.containers()["board"]["NetworkSettings"]["Ports"]
    return published["8504/tcp"]


def test_the_board_is_where_grafana_would_be(stack: Composed) -> None:
    """It answers at Grafana's port, on loopback only, and the exporter's page names it."""
    assert stack.get("grafana", "/api/health")["program"] == "eddie-board"
    assert port(stack) == [{"HostIp": "127.0.0.1", "HostPort": str(stack.ports["grafana"])}]
    with urllib.request.urlopen(f"http://127.0.0.1:{stack.ports['exporter']}/", timeout=10) as answer:
        assert "Board (in Grafana" in answer.read().decode()


def test_it_shows_the_dashboard(stack: Composed) -> None:
    """The dashboards reach it by a mount: the page of ours is there."""
    url = f"http://127.0.0.1:{stack.ports['grafana']}/d/eddie-distributed-fallback"
    with urllib.request.urlopen(url, timeout=20) as answer:
        assert answer.status == 200


def test_it_runs_confined(stack: Composed) -> None:
    """Nobody's rights, nothing to write to, no secret, no engine, and no network but the stack's."""
    one = stack.containers()["board"]
    assert stack.python("board", INSIDE) == {
        "uid": 10001,
        "sockets": [],
        "writable": [],
        "capabilities": dict.fromkeys(("CapEff", "CapPrm", "CapBnd"), "0000000000000000"),
        "no_new_privileges": "1",
    }
    assert one["HostConfig"]["ReadonlyRootfs"]
    assert one["HostConfig"]["Memory"] == 512 * 2**20
    assert list(one["NetworkSettings"]["Networks"]) == [f"{stack.project}_stack"]
    assert all(not mount["RW"] for mount in one["Mounts"])
    assert not [mount for mount in one["Mounts"] if "secrets" in mount["Source"]]


def test_a_second_up_changes_nothing(stack: Composed) -> None:
    """Its container is still the same one."""
    before = stack.containers()["board"]["Id"]
    assert stack.command("up").returncode == 0
    assert stack.containers()["board"]["Id"] == before


def test_status_says_where_it_stands(stack: Composed) -> None:
    """The table has its address and how to get a Grafana; nothing is wrong."""
    done = stack.command("status")
    assert done.returncode == 0, done.stdout
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("board ")]
    assert f"http://127.0.0.1:{stack.ports['grafana']}" in line
    assert "GRAFANA_IMAGE" in line


def test_it_makes_room_for_grafana_and_stands_beside_it(stack: Composed) -> None:
    """With the image there Grafana takes its port back; `make board` puts the board on its own; `down` ends both."""
    stack.more.pop("GRAFANA_IMAGE", None)
    if not _has_grafana(stack):
        pytest.skip("no image of Grafana here")
    done = stack.command("up")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "board" not in stack.containers()
    before = {name: one["Id"] for name, one in stack.containers().items()}
    done = stack.command("board")
    assert done.returncode == 0, done.stdout + done.stderr
    assert port(stack) == [{"HostIp": "127.0.0.1", "HostPort": str(stack.ports["board"])}]
    assert before.items() <= {name: one["Id"] for name, one in stack.containers().items()}.items()
    assert stack.get("board", "/api/health")["program"] == "eddie-board"
    assert "program" not in stack.get("grafana", "/api/health")
    assert stack.command("down").returncode == 0
    assert left(stack.project) == []


def _has_grafana(stack: Composed) -> bool:
    config = json.loads(stack.docker("compose", "config", "--format", "json"))
    image = config["services"]["grafana"]["image"]
    return bool(stack.docker("image", "ls", "--quiet", image))
