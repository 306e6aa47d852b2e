"""The chain's engines in containers, by testcontainers: shipped service names, timings a test can wait for."""

from __future__ import annotations

import os

# Before testcontainers is imported, for it reads them then: its reaper's image may not be had here, and where the tests
# themselves run in a container it would answer with an address that only the engine knows.
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
os.environ.setdefault("TESTCONTAINERS_HOST_OVERRIDE", "127.0.0.1")
os.environ.setdefault("TESTCONTAINERS_CONNECTION_MODE", "docker_host")

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import DockerException
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from tests.support.eventually import eventually
from tests.support.programs import ROOT, run
from tests.support.stacks import FACTOR

from fleet.web import ask
from rig import tree
from rig.asking import Asking
from rig.sink import Notification

LABEL = "eddie.test"
EXPORTER_IMAGE = "eddie-exporter:local"  # as compose.yaml names it
SINK = 8080
SHARED = {
    "NO_PROXY": "*",
    "no_proxy": "*",
    "EDDIE_ENVIRONMENT": "test",
    "EDDIE_EXPORTER_PUBLIC_URL": "http://exporter.test",
    "EDDIE_GRAFANA_PUBLIC_URL": "http://grafana.test",
}
"""What every container is told."""


class RemoteSink:
    """A sink in a container, read through its published port."""

    def __init__(self, url: str) -> None:
        self.url = url

    def notifications(self, alertname: str | None = None, *, since: float = 0.0) -> list[Notification]:
        """Return what arrived, as the sink itself would."""
        found = [Notification(**each) for each in ask(f"{self.url}/notifications").json()]
        return [each for each in found if each.at >= since and alertname in {None, each.alertname}]


def settings() -> dict[str, str]:
    """Return the images named in the environment or, where it names none, in `.env`."""
    file = ROOT / ".env"
    lines = file.read_text().splitlines() if file.exists() else []
    return dict(line.split("=", 1) for line in lines if "=" in line) | dict(os.environ)


def tags() -> list[str]:
    """Return the names of all images that are here, or skip where no container engine answers."""
    try:
        client = docker.from_env()
        try:
            return sorted(tag for each in client.images.list() for tag in each.tags)
        finally:
            client.close()
    except DockerException:
        pytest.skip("no container engine: it does not answer")


def image(variable: str, stand_in: str) -> str:
    """Return an image that is here: the one that ``variable`` names, or a stand-in; skip where there is none."""
    named = settings().get(variable)
    here = [tag for tag in tags() if tag == named or (not named and tag.startswith(f"{stand_in}:"))]
    if not here:
        pytest.skip(f"no image {named or stand_in} ({variable}) here; `.ci/images` makes stand-ins")
    return here[-1]


def exporter_image() -> str:
    """Return the exporter's image, as `make up` builds it; build it where it is not there yet, or skip."""
    if EXPORTER_IMAGE not in tags():
        done = run("docker", "compose", "--project-directory", str(ROOT), "build", "--quiet", "exporter", timeout=300)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            pytest.skip(f"no image {EXPORTER_IMAGE}, and `docker compose build exporter` fails: {last}")
    return EXPORTER_IMAGE


def laid(folder: Path) -> Path:
    """Lay the faster configuration with the shipped targets, and secrets as `init` would make them."""
    place = tree.lay(folder / "tree", FACTOR)
    (place / "prometheus/targets/grafana.json").unlink()
    (place / "prometheus/secrets/read_token").write_text("unused\n")
    for kind in ("rules", "targets", "scrape"):
        (place / "prometheus/local" / kind).mkdir(parents=True, exist_ok=True)
    secrets = folder / "secrets"
    secrets.mkdir()
    (secrets / "alerts_token").write_text("rig-alerts\n")
    (secrets / "webhook_url").write_text(f"http://sink:{SINK}/page\n")
    return place


@dataclass(frozen=True)
class Plan:
    """A container to run: its port, the path that answers 200 when it is ready, what it mounts and is told."""

    name: str
    image: str
    port: int
    path: str
    binds: dict[Path, str]
    command: list[str]
    entrypoint: list[str] | None = None
    environment: dict[str, str] = field(default_factory=dict)

    def container(self, network: Network) -> DockerContainer:
        """Build it, not yet started, as confined as compose.yaml runs it: nothing to write but memory."""
        confined: dict[str, Any] = {"labels": {LABEL: "chain"}, "read_only": True}
        if self.entrypoint:
            confined["entrypoint"] = self.entrypoint
        made = DockerContainer(self.image).with_network(network).with_network_aliases(self.name)
        made = made.with_exposed_ports(self.port).with_kwargs(**confined).with_command(self.command)
        for writable in ("/tmp", "/data"):  # noqa: S108 - the container's own
            made = made.with_tmpfs_mount(writable, "mode=1777")
        for source, target in self.binds.items():
            made = made.with_volume_mapping(str(source), target, "ro")
        for key, value in {**SHARED, **self.environment}.items():
            made = made.with_env(key, value)
        return made


def plans(folder: Path) -> list[Plan]:
    """Return the chain's containers in the order of their start."""
    place, exporter = laid(folder), exporter_image()
    secrets = {folder / "secrets": "/run/eddie/secrets"}
    return [
        Plan(
            "sink", exporter, SINK, "/notifications",
            {ROOT / "scripts/rig": "/rig"}, [str(SINK)], ["python", "/rig/sink.py"],
        ),
        Plan(
            "exporter", exporter, 8503, "/health/ready",
            {ROOT / "exporter/src": "/opt/eddie/src", **secrets},  # the image's libraries, this checkout's code
            [],
            environment={"EDDIE_DOCKER": "false", "EDDIE_ALERTS_TOKEN_FILE": "/run/eddie/secrets/alerts_token"},
        ),
        Plan(
            "alertmanager", image("ALERTMANAGER_IMAGE", "eddie-standin/alertmanager"), 9093, "/-/ready",
            {place / "alertmanager": "/etc/alertmanager", **secrets},
            ["--storage.path=/data"], ["/bin/sh", "/etc/alertmanager/start.sh"],
            {"EDDIE_AM_SECRETS": "/run/eddie/secrets", "EDDIE_AM_RUN": "/data/config"},
        ),
        Plan(
            "prometheus", image("PROMETHEUS_IMAGE", "eddie-standin/prometheus"), 9090, "/-/ready",
            {place / "prometheus": "/etc/prometheus"},
            ["@/etc/prometheus/flags", "--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/data"],
        ),
    ]  # fmt: skip


@contextmanager
def containers(folder: Path) -> Iterator[tuple[Asking, RemoteSink]]:
    """Run exporter, Prometheus, Alertmanager and a sink in containers; skip with what is missing. All of it goes."""
    image("PROMETHEUS_IMAGE", "eddie-standin/prometheus")  # before a network is made that nobody needs
    exporter_image()
    with ExitStack() as stack:
        network = stack.enter_context(Network())
        urls: dict[str, str] = {}
        for plan in plans(folder):
            container = plan.container(network)
            stack.enter_context(container)
            stack.callback(_keep_log, container, folder / f"{plan.name}.log")
            urls[plan.name] = f"http://{container.get_container_host_ip()}:{container.get_exposed_port(plan.port)}"
            eventually(lambda url=urls[plan.name] + plan.path: _ready(url), within=30)  # type: ignore[misc]
        yield Asking(urls), RemoteSink(urls["sink"])


def _ready(url: str) -> None:
    answer = ask(url)
    assert answer.status == 200, f"expected 200 from {url}, got {answer.status}: {answer.text[:300]}"


def _keep_log(container: Any, file: Path) -> None:
    """Write a container's log beside the test's other files, before it is removed with the container."""
    try:
        out, err = container.get_logs()
    except Exception as error:  # noqa: BLE001 - a log that cannot be had is no reason to fail
        file.write_text(json.dumps(str(error)))
    else:
        file.write_bytes(out + err)
