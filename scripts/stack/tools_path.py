"""The first sources of a program: what this machine's PATH has, and a Grafana folder named by GRAFANA_HOME."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from stack.tools_model import Found, Program, SourceError, parsed, version_of

GRAFANA_SHARES = ("/usr/share/grafana",)
"""Where packages put Grafana's `conf/` and `public/` when they lie apart from its binary."""


def from_path(program: Program, env: Mapping[str, str], tools: Path) -> Found:
    """Take the program from PATH, all its binaries and new enough; raises SourceError with the reason otherwise."""
    binaries: dict[str, str] = {}
    for name in program.binaries:
        found = _which(name, env.get("PATH", os.defpath), tools)
        if found is None:
            raise SourceError(f"no {name} on PATH")
        binaries[name] = found
    server = binaries[program.binaries[0]]
    version = new_enough(program, server)
    home = _grafana_home(Path(server)) if program.name == "grafana" else ""
    return Found(program.name, version, "PATH", str(Path(server).parent), binaries, home=home)


def from_grafana_home(program: Program, env: Mapping[str, str]) -> Found:
    """Take Grafana from the folder the person named; raises SourceError with the reason otherwise."""
    named = env.get("GRAFANA_HOME", "")
    if not named:
        raise SourceError("GRAFANA_HOME is not set")
    home = Path(named).expanduser().resolve()
    check_grafana_home(home)
    binary = home / "bin" / "grafana"
    version = new_enough(program, binary)
    return Found(program.name, version, "GRAFANA_HOME", str(home), {"grafana": str(binary)}, home=str(home))


def check_grafana_home(home: Path) -> None:
    """Refuse a folder that is not Grafana's: it starts without `public/` and then shows empty pages."""
    missing = [part for part in ("bin/grafana", "conf/defaults.ini", "public") if not (home / part).exists()]
    if missing:
        raise SourceError(f"{home}: expected bin/grafana, conf/ and public/ in it, {', '.join(missing)} missing")


def new_enough(program: Program, server: str | Path) -> str:
    """Return the server's version; raises SourceError where it is older than the program's minimum."""
    version = version_of(server)
    if parsed(version) < program.minimum:
        raise SourceError(f"{server} is {version}, at least {program.wished} is needed")
    return version


def _which(name: str, path: str, tools: Path) -> str | None:
    """Search like `which`, but blind to our own `.tools`: a person may well have put it on their PATH."""
    for folder in path.split(os.pathsep):
        candidate = Path(folder or ".", name).absolute()
        if os.access(candidate, os.X_OK) and candidate.is_file() and not _within(candidate, tools):
            return str(candidate)
    return None


def _within(candidate: Path, tools: Path) -> bool:
    """Tell whether the candidate lies in `.tools`, by its name or by what it points to."""
    ours = tools.absolute()
    return candidate.is_relative_to(ours) or candidate.resolve().is_relative_to(ours.resolve())


def _grafana_home(binary: Path) -> str:
    """Find the folder with `conf/` and `public/` that belongs to a Grafana on PATH."""
    places = [binary.resolve().parent.parent, *map(Path, GRAFANA_SHARES)]
    for home in places:
        if (home / "conf" / "defaults.ini").is_file() and (home / "public").is_dir():
            return str(home)
    raise SourceError(f"{binary}: no conf/ and public/ beside it (looked in {', '.join(map(str, places))})")
