"""The stack in containers, for real: ready when `up` returns, closed to everybody else, gone after `down`."""

from __future__ import annotations

import datetime as dt
import os
import re
import urllib.request
from collections.abc import Iterator

import pytest
from tests.support.composed import Composed
from tests.support.eventually import eventually
from tests.support.probes import INSIDE, OWNER, POST, REACHED, STATUSES

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
    eventually(lambda: _is(stack.get("exporter", "/health")["docker"], "up"), within=60)


def test_start_fresh_moves_the_store_aside_and_deletes_nothing(stack: Composed) -> None:
    """The exporter's own container comes back, empty; the old store lies beside the new one on the same volume."""
    token = (stack.folder / "secrets/exporter/ingest_token").read_text().strip()
    assert stack.agent(POST, token)[0] == 202
    before = {name: one["Id"] for name, one in stack.containers().items()}
    assert any(series.startswith("timeout_events_total{") for series in _scraped(stack))
    done = stack.command("start-fresh")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"the old store lies aside in volume {stack.project}_exporter-data" in done.stdout
    assert {name: one["Id"] for name, one in stack.containers().items()} == before
    assert not any(series.startswith("timeout_events_total{") for series in _scraped(stack))
    files = stack.python("exporter", "import json, os; print(json.dumps(os.listdir('/var/lib/eddie')))")
    assert {"journal.db", "lock"} < set(files)
    assert any(name.startswith("journal.db.aside-") for name in files)


def test_status_says_where_the_store_lies_and_its_size(stack: Composed) -> None:
    """The volume's name, and the size that Prometheus scraped last; an engine that is asked walks over all volumes."""

    def said() -> None:
        assert re.search(rf"store: volume {stack.project}_exporter-data .*, [\d.]+kB", stack.command("status").stdout)

    eventually(said, within=40, every=2)


def _scraped(stack: Composed) -> list[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{stack.ports['exporter']}/metrics/prometheus", timeout=5) as answer:
        lines: list[str] = answer.read().decode().splitlines()
    return lines


def _is(got: object, expected: object) -> None:
    assert got == expected
