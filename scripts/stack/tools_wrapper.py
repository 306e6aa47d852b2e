"""Part of the third source: lets the distribution's Alertmanager find its template without installing it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from stack.tools_model import SourceError

TEMPLATE = "/usr/share/prometheus/alertmanager/default.tmpl"
"""Debian's build reads its default template from here and does not start without it."""
# The lower directory is given relative to the working directory: a mount option cannot hold a path with `,` or `:`.
_WRAPPER = """\
#!/bin/sh
# Lays the unpacked package's share over /usr/share, for this one process and without any privilege of the system:
# the distribution's build reads its template from a fixed path there. The process keeps its id, so signals reach it.
here=$(dirname "$(readlink -f "$0")")/..
program="$here/usr/bin/{binary}"
[ -e {template} ] && exec "$program" "$@"
[ "$(id -u)" = 0 ] && namespaces=-m || namespaces=-rm
WORKING_DIRECTORY=$PWD exec unshare $namespaces sh -ec '
    cd "$1/usr/share"
    mount -t overlay overlay -o lowerdir=.:/usr/share /usr/share
    cd "$WORKING_DIRECTORY"
    shift
    program=$1
    shift
    exec "$program" "$@"' sh "$here" "$program" "$@"
"""


def wrap(name: str, folder: Path, binaries: dict[str, Path]) -> dict[str, str]:
    """Return what to start instead of an unpacked package's binaries; raises SourceError where it cannot run here."""
    if name != "alertmanager":
        return {key: str(path) for key, path in binaries.items()}
    wrapped = {}
    for key, path in binaries.items():
        script = folder / "wrapped" / key
        script.parent.mkdir(exist_ok=True)
        script.write_text(_WRAPPER.format(binary=path.name, template=TEMPLATE))
        script.chmod(0o755)
        wrapped[key] = str(script)
    _check(wrapped[name])
    return wrapped


def _check(script: str) -> None:
    """Run the wrapper once, so that a machine without user namespaces is told now, not by a log file."""
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise SourceError(
            f"the distribution's Alertmanager reads {TEMPLATE}, which can be laid there for it alone only with user "
            f"namespaces and overlay mounts, and these are switched off here ({said}); put an Alertmanager of its "
            "project's release on PATH, or name a mirror of it in ALERTMANAGER_RELEASES_URL"
        )
