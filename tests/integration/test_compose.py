"""The stack in containers, for real: ready when `up` returns, closed to everybody else, gone after `down`."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.composed import Composed, left
from tests.support.eventually import eventually
from tests.support.probes import INSIDE, OWNER, POST, REACHED, STATUSES
from tests.support.programs import ROOT

SERVICES = ("exporter", "prometheus", "alertmanager", "docker-proxy")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    """Run one stack for the tests that only look."""
    stack = Composed(tmp_path_factory.mktemp("composed"), f"eddie-test-{os.getpid()}")
    stack.need()
    try:
        done = stack.command("up")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "mode: containers" in done.stdout
        yield stack
    finally:
        stack.remove()


def moment(text: str) -> dt.datetime:
    """Read the engine's time, whose nanoseconds Python does not take."""
    return dt.datetime.fromisoformat(text[:19] + "+00:00")


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


def test_all_is_healthy_within_a_minute(stack: Composed) -> None:
    """From the first container made to the last health check that was good pass less than 60 s."""
    found = stack.containers()
    assert {name: found[name]["State"]["Health"]["Status"] for name in SERVICES} == dict.fromkeys(SERVICES, "healthy")
    assert found["init"]["State"]["ExitCode"] == 0
    begin = min(moment(one["Created"]) for one in found.values())
    good = [
        min(moment(check["End"]) for check in one["State"]["Health"]["Log"] if check["ExitCode"] == 0)
        for one in found.values()
        if "Health" in one["State"]
    ]
    assert (max(good) - begin).total_seconds() < 60


def test_a_second_up_changes_nothing(stack: Composed) -> None:
    """On a running stack `up` exits 0 and every container is still the same one, started at the same time."""

    def identities() -> dict[str, tuple[str, str]]:
        return {
            name: (one["Id"], one["State"]["StartedAt"]) for name, one in stack.containers().items() if name != "init"
        }

    before = identities()
    done = stack.command("up")
    assert done.returncode == 0, done.stderr
    assert identities() == before


def test_every_service_runs_confined(stack: Composed) -> None:
    """No service has a capability, a writable root, a way to more rights, or memory without limit."""
    for name, one in stack.containers().items():
        host = one["HostConfig"]
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert "no-new-privileges:true" in host["SecurityOpt"], name
        assert host["Memory"] > 0, name
        assert not host["Privileged"], name
        if name != "init":
            assert host["RestartPolicy"]["Name"] == "unless-stopped", name
            assert host["CapAdd"] is None, name
            assert one["Config"]["User"].split(":")[0] not in {"", "0", "root"}, name
        ports = [port for ports in (one["NetworkSettings"]["Ports"] or {}).values() for port in ports or []]
        assert {port["HostIp"] for port in ports} <= {"127.0.0.1"}, name


def test_only_the_proxy_has_the_engines_socket(stack: Composed) -> None:
    """The socket is mounted in one container, and that one publishes nothing."""
    mounted = {
        name
        for name, one in stack.containers().items()
        if any("docker.sock" in mount["Source"] for mount in one["Mounts"])
    }
    assert mounted == {"docker-proxy"}
    assert not any(stack.containers()["docker-proxy"]["NetworkSettings"]["Ports"].values())


def test_fault_39_the_exporter_has_no_way_to_grafana(stack: Composed) -> None:
    """What agents post to reaches those it asks, and by no name or address what people are logged in to."""
    found = stack.containers()
    networks = found["grafana"]["NetworkSettings"]["Networks"].values() if "grafana" in found else []
    asked = ["grafana:3000", *(f"{network['IPAddress']}:3000" for network in networks)]
    for network in found["exporter"]["NetworkSettings"]["Networks"].values():
        asked += [f"{network['Gateway']}:{port}" for port in stack.ports.values() if network["Gateway"]]
    neighbours = ["prometheus:9090", "alertmanager:9093", "docker-proxy:2375"]
    assert stack.python("exporter", REACHED, *neighbours, *asked) == neighbours


def test_fault_39_from_inside_the_exporter_there_is_nothing_to_take(stack: Composed) -> None:
    """A process in the exporter's container has no socket, no right, nothing to write to but /tmp and its own store."""
    assert stack.python("exporter", INSIDE) == {
        "uid": 10001,
        "sockets": [],
        "writable": ["/var/lib/eddie"],
        "capabilities": dict.fromkeys(("CapEff", "CapPrm", "CapBnd"), "0000000000000000"),
        "no_new_privileges": "1",
    }


def test_a_new_volume_belongs_to_the_exporter(stack: Composed) -> None:
    """Docker gives a new volume the owner and mode that the image says: nobody's rights are enough to write to it."""
    mount = next(one for one in stack.containers()["exporter"]["Mounts"] if one["Destination"] == "/var/lib/eddie")
    assert (mount["Type"], mount["Name"], mount["RW"]) == ("volume", f"{stack.project}_exporter-data", True)
    assert stack.python("exporter", OWNER, "/var/lib/eddie") == [10001, 10001, "0o700"]


def test_the_proxy_answers_what_the_watcher_asks(stack: Composed) -> None:
    """List, inspect, version and ping come through, with and without a version in the path."""
    mine = stack.containers()["exporter"]["Id"]
    asked = ["/_ping", "/version", "/info", "/containers/json?all=1", f"/v1.41/containers/{mine}/json"]
    asked += ["/events?since=0&until=1", f"/containers/{mine[:12]}/stats?stream=false&one-shot=true"]
    answers = stack.python("exporter", STATUSES, *(f"GET {path}" for path in asked))
    assert answers == {f"GET {path}": 200 for path in asked}


def test_the_proxy_refuses_everything_else(stack: Composed) -> None:
    """Create, exec, images, secrets, paths that climb, and every writing method are 403 and reach no engine."""
    mine = stack.containers()["exporter"]["Id"]
    asked = ["POST /containers/create", f"POST /containers/{mine}/exec", f"POST /v1.41/containers/{mine}/kill"]
    asked += [f"DELETE /containers/{mine}", "POST /containers/json", f"PUT /containers/{mine}/archive?path=/"]
    asked += ["GET /images/json", "GET /v1.41/secrets", "GET /volumes", "GET /networks", "GET /swarm", "GET /"]
    asked += [f"GET /containers/{mine}/archive?path=/etc", f"GET /containers/{mine}/logs?stdout=1"]
    asked += [
        "GET /containers/../images/json",
        "GET /containers/%2e%2e/images/json",
        "GET /containers/x/../../images/json",
    ]
    asked += [f"GET /containers/{mine}/export", "GET //images/json", "GET /events/../images/json", "POST /_ping"]
    answers = stack.python("exporter", STATUSES, *asked)
    assert answers == dict.fromkeys(asked, 403)


def test_an_agents_container_posts_an_event(stack: Composed) -> None:
    """A container on the agents' network posts by the exporter's name, and Prometheus has it after a scrape."""
    token = (stack.folder / "secrets/exporter/ingest_token").read_text().strip()
    assert stack.agent(POST, "another")[0] == 401
    assert stack.agent(POST, token) == [202, {"accepted": 1, "duplicates": 0}]

    def stored() -> None:
        found = stack.get("prometheus", "/api/v1/query?query=timeout_events_total%7Bagent_id%3D%22from-outside%22%7D")
        assert [float(series["value"][1]) for series in found["data"]["result"]] == [1]

    eventually(stored, within=40)


def test_an_agents_container_reaches_nothing_else(stack: Composed) -> None:
    """From the agents' network neither names nor addresses lead to anything of the stack but the exporter."""
    found = stack.containers()
    ports = {"prometheus": 9090, "alertmanager": 9093, "grafana": 3000, "docker-proxy": 2375}
    asked = [f"{name}:{port}" for name, port in ports.items()]
    for name, port in ports.items():
        networks = found[name]["NetworkSettings"]["Networks"].values() if name in found else []
        asked += [f"{network['IPAddress']}:{port}" for network in networks]
    agents = f"{stack.project}-agents"
    gateway = found["exporter"]["NetworkSettings"]["Networks"][agents]["Gateway"]
    asked += [f"{gateway}:{port}" for port in stack.ports.values()]
    assert stack.agent(REACHED, "exporter:8503", *asked) == ["exporter:8503"]


def test_prometheus_scrapes_what_runs(stack: Composed) -> None:
    """Every target is up; a Grafana that was left out is none."""

    def up() -> None:
        targets = stack.get("prometheus", "/api/v1/targets")["data"]["activeTargets"]
        health = {target["labels"]["job"]: target["health"] for target in targets}
        jobs = {"eddie-metrics", "prometheus", "alertmanager"} | ({"grafana"} & set(stack.containers()))
        assert health == dict.fromkeys(jobs, "up")

    eventually(up, within=40)


def test_the_watcher_sees_docker_through_the_proxy(stack: Composed) -> None:
    """The exporter has an engine to watch, though it has no socket."""
    eventually(lambda: _is(stack.get("exporter", "/health")["docker"], "up"), within=20)


def _is(got: object, expected: object) -> None:
    assert got == expected


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
