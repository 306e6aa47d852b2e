"""Questions to the container engine and Compose, asked through the `docker` command in the caller's environment."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stack.model import StackError

COMPOSE_NEEDED = (2, 20)
_PATIENCE = 20.0
"""Seconds a question may take; an engine that needs longer is not usable."""


class Engine:
    """The engine that `docker` reaches with this environment (DOCKER_HOST and contexts count)."""

    def __init__(self, root: Path, env: Mapping[str, str]) -> None:
        self._root = root
        self._env = dict(env)

    def _ask(self, *words: str, patience: float | None = _PATIENCE) -> subprocess.CompletedProcess[str]:
        """Run one `docker` command without standard input; what cannot run ends as exit status 127."""
        command = ["docker", *words]
        try:
            return subprocess.run(
                command, cwd=self._root, env=self._env, stdin=subprocess.DEVNULL,
                capture_output=True, text=True, timeout=patience, check=False,
            )  # fmt: skip
        except FileNotFoundError:
            return subprocess.CompletedProcess(command, 127, "", "there is no `docker` command")
        except (OSError, subprocess.TimeoutExpired) as error:
            return subprocess.CompletedProcess(command, 127, "", str(error))

    def unusable(self) -> str | None:
        """Say why `docker info` does not succeed, None when it does."""
        done = self._ask("info", "--format", "{{.ServerVersion}}")
        if done.returncode == 0:
            return None
        return f"`docker info` fails: {_last(done.stderr) or _last(done.stdout)}"

    def compose_too_old(self) -> str | None:
        """Say why Compose cannot read compose.yaml, None when it can."""
        done = self._ask("compose", "version", "--short")
        version = done.stdout.strip().removeprefix("v")
        try:
            numbers = tuple(int(part) for part in version.split("-")[0].split("+")[0].split(".")[:2])
        except ValueError:
            numbers = ()
        if done.returncode != 0 or not numbers:
            return "there is no Docker Compose (`docker compose version` fails)"
        if numbers < COMPOSE_NEEDED:
            return f"Docker Compose is {version}, 2.20 or newer is needed"
        return None

    def services(self) -> dict[str, dict[str, Any]]:
        """Answer the services of compose.yaml with every setting put in. Raises StackError with Compose's own words."""
        done = self._ask("compose", "config", "--format", "json")
        if done.returncode != 0:
            raise StackError(
                f"expected compose.yaml, .env and compose.override.yaml to be valid: {done.stderr.strip()}"
            )
        services: dict[str, dict[str, Any]] = json.loads(done.stdout)["services"]
        return services

    def has_image(self, image: str) -> bool:
        """Say whether the image is local."""
        return self._ask("image", "inspect", "--format", "{{.Id}}", image).returncode == 0

    def pull(self, image: str) -> str | None:
        """Fetch an image, as long as that takes; say why it cannot be had, None when it is local now."""
        done = self._ask("pull", "--quiet", image, patience=1800)
        return None if done.returncode == 0 else _last(done.stderr).removeprefix("Error response from daemon: ")

    def label(self, image: str, name: str) -> str:
        """Answer a label of a local image, empty when either is not there."""
        done = self._ask("image", "inspect", "--format", f'{{{{index .Config.Labels "{name}"}}}}', image)
        return done.stdout.strip() if done.returncode == 0 else ""

    def compose(self, *words: str, detached: bool = False) -> None:
        """Run one Compose command, its progress where ours goes. Raises StackError when it fails.

        `detached` keeps a terminal's Ctrl-C from it: what cleans up is not to be stopped half way.
        """
        done = subprocess.run(
            ["docker", "compose", "--progress", "quiet", *words], cwd=self._root, env=self._env,
            stdin=subprocess.DEVNULL, start_new_session=detached, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise StackError(f"expected `docker compose {words[0]}` to succeed, it ended with {done.returncode}")

    def containers(self) -> list[dict[str, Any]]:
        """Answer the project's containers as `docker compose ps` tells them; empty when no engine answers."""
        done = self._ask("compose", "ps", "--all", "--format", "json")
        text = done.stdout.strip()
        if done.returncode != 0 or not text:
            return []
        # An array up to 2.20, a line a container since 2.21.
        found: list[dict[str, Any]] = json.loads(text) if text[0] == "[" else [json.loads(s) for s in text.splitlines()]
        return found

    def checkouts(self, project: str) -> set[str]:
        """Answer the folders that the project's containers were started from; empty when no engine answers."""
        label = "com.docker.compose.project"
        words = ("--filter", f"label={label}={project}", "--format", f'{{{{.Label "{label}.working_dir"}}}}')
        done = self._ask("ps", "--all", *words)
        return set(filter(None, done.stdout.splitlines())) if done.returncode == 0 else set()

    def last_words(self, service: str) -> list[str]:
        """Answer the last lines a service has logged."""
        done = self._ask("compose", "--ansi", "never", "logs", "--no-log-prefix", "--tail", "10", service)
        return done.stdout.strip().splitlines()

    def volumes(self, project: str) -> list[str] | None:
        """Answer the project's volumes, None when no engine answers."""
        done = self._ask("volume", "ls", "--quiet", "--filter", f"label=com.docker.compose.project={project}")
        return done.stdout.split() if done.returncode == 0 else None

    def sizes(self) -> dict[str, str]:
        """Answer the size of each volume the engine has, in its own words."""
        done = self._ask("system", "df", "--verbose", "--format", "json", patience=120)
        try:
            report = json.loads(done.stdout)
        except ValueError:
            return {}
        return {volume["Name"]: volume["Size"] for volume in report.get("Volumes") or []}

    def image_size(self, image: str) -> str | None:
        """Answer the size of a local image, None when it is not there."""
        done = self._ask("image", "ls", "--format", "{{.Size}}", image)
        return next(iter(done.stdout.split()), None)

    def standins(self) -> list[str]:
        """Answer the stand-in images that .ci/images has made."""
        done = self._ask(
            "image", "ls", "--filter", "label=eddie.standin.recipe", "--format", "{{.Repository}}:{{.Tag}}"
        )
        return [name for name in done.stdout.split() if "<none>" not in name]

    def remove_superseded(self, label: str) -> None:
        """Remove images with this label that a newer build took the name from; ones in use stay."""
        self._ask("image", "prune", "--force", "--filter", f"label={label}", patience=60)

    def remove_image(self, image: str) -> str | None:
        """Remove an image; say why it stays, None when it is gone."""
        done = self._ask("image", "rm", image)
        return None if done.returncode == 0 else _last(done.stderr)

    def socket(self) -> str:
        """Answer where the engine's socket lies for a container that mounts it."""
        done = self._ask("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
        host = self._env.get("DOCKER_HOST") or done.stdout.strip()
        return host.removeprefix("unix://") if host.startswith("unix://") else "/var/run/docker.sock"

    def socket_group(self, socket: str, image: str) -> str | None:
        """Answer the socket's group as a container sees it: the engine may live in a machine of its own."""
        mount = f"{socket}:/socket:ro"
        words = ("run", "--rm", "--network=none", "--user=99:99", f"--volume={mount}", "--entrypoint=stat", image)
        done = self._ask(*words, "-c", "%g", "/socket", patience=60)
        return done.stdout.strip() if done.returncode == 0 else None


def _last(text: str) -> str:
    lines: Sequence[str] = text.strip().splitlines()
    return lines[-1].strip() if lines else ""
