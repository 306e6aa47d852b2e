"""The rig's one look-up of programs: an environment variable, the programs `make up` keeps, PATH; never a download."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


class MissingProgramError(Exception):
    """A program is not on this machine: `make up` gets it, or name it in the variable the message tells."""


def find(name: str) -> Path:
    """Return the program ``name`` (``prometheus``, ``promtool``, ``alertmanager``, ``amtool``).

    First the variable in capitals (``PROMETHEUS``), then `.tools/bin` (or ``EDDIE_TOOLS``), where `make up` links
    whatever it found, then PATH. Raises MissingProgramError with where it looked.
    """
    variable = name.upper()
    named = os.environ.get(variable)
    if named:
        if not os.access(named, os.X_OK):
            raise MissingProgramError(f"{variable}: expected a program, got {named}, which cannot be run")
        return Path(named).absolute()
    tools = Path(os.environ.get("EDDIE_TOOLS") or ROOT / ".tools").absolute() / "bin"
    found = shutil.which(name, path=f"{tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}")
    if found is None:
        raise MissingProgramError(f"no {name}: not in {variable}, not in {tools}, not on PATH; `make up` gets it")
    return Path(found).absolute()


def grafana_home() -> Path:
    """Return a Grafana's folder (bin/grafana, conf/, public/) from GRAFANA_HOME or the programs `make up` keeps."""
    named = os.environ.get("GRAFANA_HOME")
    tools = Path(os.environ.get("EDDIE_TOOLS") or ROOT / ".tools").absolute() / "bin" / "grafana"
    home = Path(named).absolute() if named else tools.resolve().parent.parent
    missing = [part for part in ("bin/grafana", "conf/defaults.ini", "public") if not (home / part).exists()]
    if missing:
        raise MissingProgramError(
            f"no Grafana: GRAFANA_HOME is {named or 'not set'}, {home} lacks {', '.join(missing)}; name a folder with"
            " bin/grafana, conf/ and public/ in GRAFANA_HOME"
        )
    return home
