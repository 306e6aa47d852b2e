"""A stack in containers for a test: the command line of `make up` itself, with a project and ports of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.support.natives import free_ports
from tests.support.programs import ROOT

from stack import compose, settings
from stack.model import Context


@dataclass
class Composed:
    """One stack in containers; `folder` takes its state and secrets, `root` is the checkout it runs from."""

    folder: Path
    project: str
    root: Path = ROOT
    ports: dict[str, int] = field(default_factory=free_ports)
    more: dict[str, str] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        """Answer the environment every command of this stack runs in."""
        ours = {key: str(self.ports[service]) for service, key in settings.PORT_KEYS.items()}
        return {
            **{key: value for key, value in os.environ.items() if not key.startswith(("EDDIE_", "COMPOSE_"))},
            **ours,
            "EDDIE_MODE": "containers",
            "EDDIE_RUN": str(self.folder / "run"),
            "EDDIE_SECRETS": str(self.folder / "secrets"),
            "EDDIE_AGENTS_NETWORK": f"{self.project}-agents",
            "COMPOSE_PROJECT_NAME": self.project,
            # So that what looks and what removes knows the board's container; `up` starts services by their names.
            "COMPOSE_PROFILES": "board",
            **self.more,
        }

    def context(self) -> Context:
        """Answer the stack as `scripts/stack` sees it."""
        env = settings.load(self.root, self.env)
        run, secrets = self.folder / "run", self.folder / "secrets"
        return Context(self.root, env, run, secrets, settings.ports(env), project=self.project)

    def need(self) -> None:
        """Skip the test with the condition that containers fail here."""
        why = compose.fails(self.context())
        if why is not None:
            pytest.skip(f"no containers: {why}")

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `scripts/stack`, as make does: without standard input."""
        return self._run([sys.executable, str(self.root / "scripts" / "stack"), *words])

    def docker(self, *words: str) -> str:
        """Run one docker command; answer what it printed."""
        done = self._run(["docker", *words])
        assert done.returncode == 0, f"docker {' '.join(words)}: {done.stderr}"
        return done.stdout.strip()

    def _run(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, cwd=self.root, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )

    def python(self, service: str, code: str, *words: str) -> Any:
        """Run Python inside a service's container; answer what it printed as JSON."""
        return json.loads(self.docker("compose", "exec", "-T", service, "python", "-c", code, *words))

    def agent(self, code: str, *words: str) -> Any:
        """Run Python in a container of somebody else, on the agents' network alone; answer what it printed as JSON."""
        name = f"{self.project}-agents"
        run = ("run", "--rm", "--network", name, "--entrypoint", "python", "eddie-exporter:local", "-c", code, *words)
        return json.loads(self.docker(*run))

    def containers(self) -> dict[str, dict[str, Any]]:
        """Answer what the engine says of each service's container."""
        names = self.docker("compose", "ps", "--all", "--quiet").split()
        found = json.loads(self.docker("inspect", *names)) if names else []
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in found}

    def get(self, service: str, path: str) -> Any:
        """Answer the JSON at a published port."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{self.ports[service]}{path}", timeout=5) as answer:
            return json.load(answer)

    def remove(self) -> None:
        """Leave nothing, data included."""
        self._run(["docker", "compose", "down", "--volumes", "--remove-orphans", "--timeout", "3"])


def left(project: str) -> list[str]:
    """Answer the containers and networks of a project that are still there."""
    found: list[str] = []
    for kind in (["ps", "--all"], ["network", "ls"]):
        label = f"label=com.docker.compose.project={project}"
        command = ["docker", *kind, "--quiet", "--filter", label]
        found += subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return found
