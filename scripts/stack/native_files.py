"""Native mode's small files: what differs from containers (addresses, the supervisor's list) is written below `.run`.

Everything else is linked to the checkout, as a container mounts it: an edited rule reaches both modes the same way.
"""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

from stack.model import Context
from stack.native_places import Places, places
from stack.native_processes import python
from stack.native_services import LOOPBACK, Service, configs, exporter_host
from stack.tools_model import parsed

STOP_SECONDS, LOG_BYTES, LOG_FILES = 20, 10_000_000, 3
"""Until a service that does not end is killed; size and number of a service's old log files."""
KNOWS_ALL = (2, 43)
"""The first Prometheus that knows every line of prometheus.yml."""


def write(ctx: Context, made: list[Service]) -> None:
    """Write and link all that the services read; secrets and the user's additions are linked, never copied."""
    place = places(ctx)
    _prometheus(ctx, place, {service.name: service for service in made})
    (place.native / "alertmanager").mkdir(exist_ok=True)
    (place.data / "grafana" / "plugins").mkdir(exist_ok=True)
    (place.native / "sockets").write_text(f"{place.sockets()}\n")
    supervise(ctx, [service.name for service in made])


def supervise(ctx: Context, names: list[str]) -> None:
    """Write the supervisor's list of services."""
    place = places(ctx)
    sockets = Path((place.native / "sockets").read_text().strip())
    (place.native / "circus.ini").write_text(supervisor(str(python(ctx)), place, sockets, names))


def _prometheus(ctx: Context, place: Places, made: dict[str, Service]) -> None:
    source, target = configs(ctx) / "prometheus", place.native / "prometheus"
    shutil.rmtree(target, ignore_errors=True)
    (target / "targets").mkdir(parents=True)
    for name in ("rules", "flags", "flags-2"):
        (target / name).symlink_to((source / name).absolute())
    (target / "local").symlink_to((ctx.root / "local").absolute())
    (target / "secrets").symlink_to(ctx.secrets.absolute() / "prometheus")
    file = target / "prometheus.yml"
    version = parsed(made["prometheus"].version)
    if version < KNOWS_ALL:
        file.write_text(known_to(version, (source / "prometheus.yml").read_text("utf-8")), "utf-8")
    else:
        file.symlink_to((source / "prometheus.yml").absolute())
    for name, address in targets(ctx, list(made)).items():
        (target / "targets" / f"{name}.json").write_text(json.dumps([{"targets": [address]}]) + "\n")


def known_to(version: tuple[int, ...], text: str) -> str:
    """Return prometheus.yml without the lines that a Prometheus as old as ``version`` does not know; they say so."""
    if version >= KNOWS_ALL:
        return text
    return "".join(line for line in text.splitlines(keepends=True) if not line.rstrip().endswith("# from 2.43"))


def targets(ctx: Context, names: list[str]) -> dict[str, str]:
    """Return the address of each target file; one that is absent makes no target and so no false alarm."""
    found = {
        "eddie-metrics": f"{exporter_host(ctx)}:{ctx.ports['exporter']}",
        "prometheus": f"{LOOPBACK}:{ctx.ports['prometheus']}",
        "alertmanagers": f"{LOOPBACK}:{ctx.ports['alertmanager']}",
    }
    if "grafana" in names:
        found["grafana"] = f"{LOOPBACK}:{ctx.ports['grafana']}"
    return found


def supervisor(binary: str, place: Places, sockets: Path, names: list[str]) -> str:
    """Return the supervisor's configuration: it restarts whatever ends, at once; the launcher adds the waiting."""
    parts = [
        f"""\
[circus]
endpoint = ipc://{sockets}/control.sock
pubsub_endpoint = ipc://{sockets}/events.sock
check_delay = 0.1
umask = 077
loglevel = WARNING
"""
    ]
    for name in names:
        arguments = shlex.join(["-P", "-m", "stack.native_launch", str(place.native), name])
        parts.append(
            f"""\
[watcher:{name}]
cmd = {shlex.quote(binary)}
args = {arguments}
copy_env = True
max_retry = -1
graceful_timeout = {STOP_SECONDS}
stdout_stream.class = FileStream
stdout_stream.filename = {place.log(name)}
stdout_stream.max_bytes = {LOG_BYTES}
stdout_stream.backup_count = {LOG_FILES}
"""
        )
    return "\n".join(parts)
