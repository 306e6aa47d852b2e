"""Station *containers*: the Docker Engine as the watcher sees it, through the Docker SDK; every call here blocks."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import docker
from docker.errors import DockerException, NotFound
from docker.models.containers import Container

from eddie_exporter.texts import LABEL_CHARACTERS, clean, label

AGENT_LABEL = "eddie.agent"
"""The label whose value is the agent that lives in a container, whichever label chooses the containers."""

_SECONDS = 10
"""How long the engine may take for an answer; only the stream of its events may be silent for longer."""
_OLDEST_API = "1.41"
"""Used for one question, the engine's version; engine 20.10 knows no later one."""
_STARTS = frozenset({"start", "update", "rename", "unpause"})
_ENDS = frozenset({"die", "destroy"})


@dataclass(frozen=True, slots=True)
class Found:
    """A running container: ``cpu_limit`` in cores; a limit of None is unlimited."""

    id: str
    name: str
    image: str
    agent_id: str | None
    cpu_limit: float | None
    memory_limit_bytes: int | None


@dataclass(frozen=True, slots=True)
class Change:
    """Something happened to a container; ``gone`` when it runs no more."""

    id: str
    gone: bool


class Engine(Protocol):
    """A connection to an engine; any method may raise when the engine is lost."""

    def running(self) -> list[Found]:
        """List the containers that run now and carry the label."""

    def one(self, container_id: str) -> Found | None:
        """Look at one container; None when it is not there or does not run."""

    def changes(self) -> Iterator[Change]:
        """Yield what happens from now on; ends when the connection does."""

    def close(self) -> None:
        """End the connection, ``changes`` of another thread included; never raises."""


def limits(host: dict[str, Any]) -> tuple[float | None, int | None]:
    """Answer CPU (cores) and memory (bytes) limits of a HostConfig; 0 and -1 mean unlimited, which is None.

    NanoCpus is what ``--cpus`` sets; else quota per period, whose default is 100 ms (moby's and the kernel's).
    """
    nano, quota, memory = (host.get(key) or 0 for key in ("NanoCpus", "CpuQuota", "Memory"))
    cpu = nano / 1e9 if nano > 0 else quota / (host.get("CpuPeriod") or 100_000) if quota > 0 else None
    return cpu, memory if memory > 0 else None


def found(attributes: dict[str, Any]) -> Found | None:
    """Read what ``docker inspect`` says; None when the container does not run."""
    if not attributes.get("State", {}).get("Running"):
        return None
    config = attributes.get("Config") or {}
    cpu, memory = limits(attributes.get("HostConfig") or {})
    return Found(
        id=str(attributes["Id"]),
        name=clean(str(attributes.get("Name") or "").lstrip("/"), LABEL_CHARACTERS),
        image=clean(str(config.get("Image") or ""), LABEL_CHARACTERS),
        agent_id=label(str((config.get("Labels") or {}).get(AGENT_LABEL) or "")),
        cpu_limit=cpu,
        memory_limit_bytes=memory,
    )


def change(event: dict[str, Any]) -> Change | None:
    """Read one event of the engine; None when it cannot have changed a limit."""
    action, container = event.get("Action"), event.get("Actor", {}).get("ID")
    if not container or action not in _STARTS | _ENDS:
        return None
    return Change(str(container), gone=action in _ENDS)


def _client(version: str) -> docker.DockerClient:
    client = docker.from_env(version=version, timeout=_SECONDS)
    # A corporate proxy of the environment is not for a socket proxy that has a service's name.
    client.api.trust_env = False
    return client


class DockerEngine:
    """The engine of DOCKER_HOST (default: the local socket). Raises DockerException when it does not answer."""

    def __init__(self, chosen: str) -> None:
        """Connect; ``chosen`` is the label that containers must carry, empty for all containers."""
        # The SDK asks for the version while it is made, when `trust_env` cannot be set yet: so it is asked here.
        first = _client(_OLDEST_API)
        try:
            version = first.api.version(api_version=False)["ApiVersion"]
        finally:
            first.close()
        self._client = _client(version)
        self._filters: dict[str, Any] = {"label": chosen} if chosen else {}
        # The engine repeats what happened since then, so that nothing falls between following and listing.
        self._since = int(time.time()) - 1
        self._stream: Any = None

    def running(self) -> list[Found]:
        """List the containers that run now and carry the label."""
        listed: list[Container] = self._client.containers.list(filters=self._filters, ignore_removed=True)
        return [one for container in listed if (one := found(container.attrs)) is not None]

    def one(self, container_id: str) -> Found | None:
        """Look at one container; None when it is not there or does not run."""
        try:
            return found(self._client.containers.get(container_id).attrs)
        except NotFound:
            return None

    def changes(self) -> Iterator[Change]:
        """Yield what happens from now on; ends when the connection does."""
        self._stream = self._client.events(
            decode=True, since=self._since, filters={"type": "container", **self._filters}
        )
        for event in self._stream:
            if (one := change(event)) is not None:
                yield one

    def close(self) -> None:
        """End the connection, ``changes`` of another thread included; never raises."""
        # AttributeError: the SDK looks for the socket of a stream that has just ended.
        with contextlib.suppress(OSError, AttributeError, DockerException):
            if self._stream is not None:
                self._stream.close()
        self._client.close()
