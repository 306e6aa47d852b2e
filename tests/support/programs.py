"""Where tests find the real programs they run, and how a test that lacks one says so."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from rig import programs
from rig.programs import ROOT

__all__ = ["ROOT", "find", "program", "run", "version"]


def find(name: str) -> str | None:
    """Path of a program such as `promtool`: $PROMTOOL, else `.tools/bin` ($EDDIE_TOOLS/bin), else PATH, else None."""
    try:
        return str(programs.find(name))
    except programs.MissingProgramError:
        return None


def program(name: str, at_least: tuple[int, ...] = ()) -> str:
    """Path of a program, or skip the test, with the reason and what would make it run."""
    path = find(name)
    if path is None:
        pytest.skip(f"no {name}: not in ${name.upper()}, .tools/bin or PATH; `make test` fetches it")
    if at_least and (got := version(path)) < at_least:
        pytest.skip(f"{name} {_dotted(at_least)} or newer is needed, {path} is {_dotted(got)}")
    return path


def version(path: str) -> tuple[int, ...]:
    """Version a program of Prometheus's family says it is; raises ValueError when it says none."""
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=30)
    found = re.search(r"version (\d+(?:\.\d+)+)", said.stdout + said.stderr)
    if not found:
        raise ValueError(f"expected `{path} --version` to name a version, got {(said.stdout + said.stderr)[:200]!r}")
    return tuple(int(part) for part in found[1].split("."))


def run(*command: str, env: dict[str, str] | None = None, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a command and keep what it said; its status is for the caller to judge. `timeout` is in seconds."""
    around = {**os.environ, **(env or {})}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout, env=around)


def _dotted(parts: tuple[int, ...]) -> str:
    return ".".join(map(str, parts))
