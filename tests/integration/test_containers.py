"""The watcher against the real engine: limits appear, change and go, and an engine that is lost comes back."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import docker
import pytest
from docker.errors import DockerException
from docker.models.containers import Container
from tests.support.eventually import eventually
from tests.support.exporters import Running, get, running
from tests.support.forwarder import Forwarder

MIB = 2**20


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    """Answer the engine of this machine, or skip."""
    try:
        client = docker.from_env()
    except DockerException as error:
        pytest.skip(f"no Docker engine: {str(error)[:100]}")
    yield client
    client.close()


@pytest.fixture(scope="module")
def image(engine: docker.DockerClient) -> str:
    """Answer an image of this machine that has `sleep`, or skip; nothing is pulled."""
    tags = [tag for one in engine.images.list() for tag in one.tags]
    for tag in sorted(tags):
        if tag.startswith(("eddie-standin/", "python:", "haproxy:", "busybox:", "alpine:", "debian:")):
            return tag
    pytest.skip("no local image with a `sleep`: run .ci/images")


@pytest.fixture
def way(engine: docker.DockerClient) -> Iterator[Forwarder]:
    """Answer a way to the engine that can be cut; the engine itself is everybody's."""
    address = engine.api.base_url

    def connect() -> socket.socket:
        if address.startswith("http+docker"):
            link = socket.socket(socket.AF_UNIX)
            link.connect("/var/run/docker.sock")
            return link
        parts = urlsplit(address)
        return socket.create_connection((str(parts.hostname), int(parts.port or 2375)))

    forwarder = Forwarder(connect)
    yield forwarder
    forwarder.cut()


@pytest.fixture
def label() -> str:
    """Answer a label that only this test's containers carry."""
    return f"eddie.test.{uuid.uuid4().hex[:12]}"


@pytest.fixture
def exporter(tmp_path: Path, way: Forwarder, label: str) -> Iterator[Running]:
    """Answer an exporter that watches ``label`` through ``way``, with a corporate proxy that leads nowhere."""
    env = {
        "EDDIE_DOCKER": "true", "EDDIE_DOCKER_LABEL": label, "DOCKER_HOST": f"tcp://127.0.0.1:{way.port}",
        "HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "NO_PROXY": "", "no_proxy": "",
    }  # fmt: skip
    with running(tmp_path, **env) as found:
        eventually(lambda: _is(found, "eddie_docker_up", 1), within=60)
        yield found


@pytest.fixture
def container(engine: docker.DockerClient, image: str, label: str, exporter: Running) -> Iterator[Container]:
    """Run a container with half a core and 64 MiB, an agent's, once the exporter watches."""
    made = engine.containers.run(
        image,
        ["sleep", "600"],
        detach=True,
        entrypoint=[],
        network_mode="none",
        cpu_quota=50_000,
        mem_limit=64 * MIB,
        memswap_limit=-1,
        labels={label: "", "eddie.agent": "agent-7"},
    )
    yield made
    made.remove(force=True)


def _metrics(exporter: Running) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in get(f"{exporter.url}/metrics").splitlines() if not line.startswith("#"))
    return {series: float(value) for series, _, value in lines}


def _is(exporter: Running, series: str, expected: float | None) -> None:
    found = _metrics(exporter).get(series)
    assert found == expected, f"expected {series} to be {expected}, got {found}"


def cpu(of: Container) -> str:
    """Answer the series of a container's CPU limit."""
    return f'docker_container_cpu_limit{{container_id="{of.short_id}"}}'


def memory(of: Container) -> str:
    """Answer the series of a container's memory limit."""
    return f'docker_container_memory_limit_bytes{{container_id="{of.short_id}"}}'


def test_limits_appear_change_and_go(exporter: Running, container: Container) -> None:
    """A start, `docker update` and a stop are seen within seconds; the update alone is an adjustment."""
    eventually(lambda: _is(exporter, cpu(container), 0.5), within=60)
    _is(exporter, memory(container), 64 * MIB)
    _is(exporter, 'docker_elastic_adjustment_total{resource_type="cpu"}', 0)
    (info,) = [series for series in _metrics(exporter) if series.startswith("eddie_container_info{")]
    assert f'container_id="{container.short_id}"' in info
    assert 'agent_id="agent-7"' in info
    container.update(cpu_quota=150_000, mem_limit=128 * MIB, memswap_limit=-1)
    eventually(lambda: _is(exporter, cpu(container), 1.5), within=60)
    _is(exporter, memory(container), 128 * MIB)
    _is(exporter, 'docker_elastic_adjustment_total{resource_type="cpu"}', 1)
    _is(exporter, 'docker_elastic_adjustment_total{resource_type="memory"}', 1)
    container.kill()
    eventually(lambda: _is(exporter, cpu(container), None), within=60)
    _is(exporter, memory(container), None)


def test_a_container_without_the_label_is_not_watched(
    engine: docker.DockerClient, image: str, exporter: Running, container: Container
) -> None:
    """Only the labelled container has gauges, also after the other one was there first."""
    other = engine.containers.run(
        image, ["sleep", "600"], detach=True, entrypoint=[], network_mode="none", cpu_quota=50_000
    )
    try:
        container.restart(timeout=0)
        eventually(lambda: _is(exporter, cpu(container), 0.5), within=60)
        _is(exporter, cpu(other), None)
    finally:
        other.remove(force=True)


def test_a_lost_engine_costs_its_gauges_only(exporter: Running, way: Forwarder, container: Container) -> None:
    """Cut off, the gauges go and all else goes on, events included; mended, the gauges are back by themselves."""
    eventually(lambda: _is(exporter, cpu(container), 0.5), within=60)
    way.cut()
    eventually(lambda: _is(exporter, "eddie_docker_up", 0), within=60)
    _is(exporter, cpu(container), None)
    assert '"docker":"down"' in get(f"{exporter.url}/health")
    assert '"ready":true' in get(f"{exporter.url}/health/ready")
    way.mend()
    eventually(lambda: _is(exporter, cpu(container), 0.5), within=45)
    _is(exporter, "eddie_docker_up", 1)
    _is(exporter, 'docker_elastic_adjustment_total{resource_type="cpu"}', 0)


def test_the_end_does_not_wait_for_the_engine(exporter: Running) -> None:
    """While the stream of events blocks, SIGTERM ends the exporter in under two seconds."""
    began = time.monotonic()
    assert exporter.stop() == 0
    assert time.monotonic() - began < 2
