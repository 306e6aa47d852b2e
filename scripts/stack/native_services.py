"""Native mode's services: what is started for each station, with which addresses; the same files as in containers."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from stack.model import Context
from stack.native_places import SERVICES, Places, places
from stack.native_processes import python
from stack.settings import is_loopback
from stack.tools import folder as tools_folder
from stack.tools_model import Found, parsed

LOOPBACK = "127.0.0.1"
HANDED_ON = ("EDDIE_", "DOCKER_", "GF_", "LC_", "SSL_", "XDG_")
"""Beginnings of the variables of the caller that a service gets; nothing else of a shell belongs into our files."""
HANDED_ON_NAMES = frozenset(
    {"home", "user", "logname", "lang", "language", "tz", "tmpdir", "http_proxy", "https_proxy"}
)
READY = {"prometheus": "/-/ready", "alertmanager": "/-/ready", "grafana": "/api/health"}
NO_PROXY = ("127.0.0.1", "localhost", "::1")
"""What no proxy may see: the stack talks to itself over loopback."""


@dataclass(frozen=True, slots=True)
class Service:
    """One process of the stack, as the launcher and `make status` read it."""

    name: str
    argv: list[str]
    env: dict[str, str]
    cwd: str
    address: str
    """Where the stack and a person on this machine reach it."""
    ready: str
    """The address that answers 200 when the service is ready."""
    version: str
    note: str


def services(ctx: Context, programs: Mapping[str, Found], stand_in: Service | None = None) -> list[Service]:
    """Return the services this stack has, in the order of the data's way; `stand_in` is for a missing Grafana."""
    makers: dict[str, Callable[[Context, Places, Found], Service]] = {
        "prometheus": _prometheus,
        "alertmanager": _alertmanager,
        "grafana": _grafana,
    }
    place = places(ctx)
    made = [_exporter(ctx, place, {*programs, *(["grafana"] if stand_in else [])})]
    made += [makers[name](ctx, place, programs[name]) for name in SERVICES if name in programs]
    return [*made, *([stand_in] if stand_in else [])]


def write(place: Places, made: list[Service]) -> None:
    """Write what the launcher starts; these files hold environments, so only the owner reads them."""
    for old in place.services.glob("*.json"):
        old.unlink()
    for service in made:
        add(place, service)


def add(place: Places, service: Service) -> None:
    """Write one more service for the launcher."""
    file = place.services / f"{service.name}.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(asdict(service), indent=2) + "\n")


def read(place: Places, name: str) -> Service:
    """Read a service as the stack was last started with it."""
    return Service(**json.loads((place.services / f"{name}.json").read_text()))


def configs(ctx: Context) -> Path:
    """Return the folder with prometheus/, alertmanager/ and grafana/: the checkout, or one a test derived from it."""
    return Path(ctx.env.get("EDDIE_CONFIGS") or ctx.root)


def exporter_host(ctx: Context) -> str:
    """Return the address at which this machine itself reaches the exporter, whatever EDDIE_BIND publishes."""
    bind = ctx.env.get("EDDIE_BIND") or LOOPBACK
    if bind in {"0.0.0.0", "::", "[::]"}:
        return LOOPBACK
    return f"[{bind}]" if ":" in bind and not bind.startswith("[") else bind


def _exporter(ctx: Context, place: Places, there: Collection[str]) -> Service:
    bind = ctx.env.get("EDDIE_BIND") or LOOPBACK
    tokens = ctx.secrets.absolute() / "exporter"
    asked = ["INGEST", "ALERTS", *([] if is_loopback(bind) else ["READ"])]
    own = {
        "PYTHONPATH": str(ctx.root / "exporter" / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "EDDIE_HOST": bind.strip("[]"),
        "EDDIE_PORT": str(ctx.ports["exporter"]),
        "EDDIE_DATA_DIR": str(place.data / "exporter"),
        "EDDIE_RUNBOOK": str(ctx.root / "docs" / "runbook.md"),
        **{f"EDDIE_{name.upper()}_URL": local(ctx, name) for name in SERVICES[1:] if name in there},
        **{f"EDDIE_{key}_TOKEN_FILE": str(tokens / f"{key.lower()}_token") for key in asked},
    }
    address = f"http://{exporter_host(ctx)}:{ctx.ports['exporter']}"
    argv = [str(python(ctx)), "-P", "-m", "eddie_exporter"]
    return Service("exporter", argv, environment(ctx, own), str(ctx.root), address, f"{address}/health/ready", "", "")


def _prometheus(ctx: Context, place: Places, found: Found) -> Service:
    config = place.native / "prometheus"
    flags = ["flags", "flags-2"] if parsed(found.version) < (3, 0) else ["flags"]
    argv = [
        found.binaries["prometheus"],
        *(f"@{config / name}" for name in flags),
        f"--config.file={config / 'prometheus.yml'}",
        f"--storage.tsdb.path={place.data / 'prometheus'}",
        f"--storage.tsdb.retention.time={ctx.env.get('PROMETHEUS_RETENTION_TIME') or '15d'}",
        f"--storage.tsdb.retention.size={ctx.env.get('PROMETHEUS_RETENTION_SIZE') or '50GB'}",
        f"--web.listen-address={LOOPBACK}:{ctx.ports['prometheus']}",
        f"--web.external-url={ctx.env['EDDIE_PROMETHEUS_PUBLIC_URL']}",
        # Behind a public address with a path, its own paths stay as they are: probes and scrapes go past the proxy.
        "--web.route-prefix=/",
    ]
    return _served(ctx, found, argv, {}, config)


def _alertmanager(ctx: Context, place: Places, found: Found) -> Service:
    argv = [
        "sh",
        str(configs(ctx) / "alertmanager" / "start.sh"),
        f"--storage.path={place.data / 'alertmanager'}",
        f"--web.listen-address={LOOPBACK}:{ctx.ports['alertmanager']}",
        f"--web.external-url={ctx.env['EDDIE_ALERTMANAGER_PUBLIC_URL']}",
        "--web.route-prefix=/",
    ]
    own = {
        "EDDIE_AM_SECRETS": str(ctx.secrets.absolute() / "alertmanager"),
        "EDDIE_AM_RUN": str(place.native / "alertmanager"),
        "EDDIE_INBOX_URL": f"http://{exporter_host(ctx)}:{ctx.ports['exporter']}/alerts",
    }
    return _served(ctx, found, argv, own, place.native)


def _grafana(ctx: Context, place: Places, found: Found) -> Service:
    provisioning, data = configs(ctx) / "grafana" / "provisioning", place.data / "grafana"
    secrets = ctx.secrets.absolute() / "grafana"
    own = {
        **_settings(ctx.root / "grafana" / "grafana.env"),
        "GF_SERVER_HTTP_ADDR": LOOPBACK,
        "GF_SERVER_HTTP_PORT": str(ctx.ports["grafana"]),
        "GF_SERVER_ROOT_URL": f"{ctx.env['EDDIE_GRAFANA_PUBLIC_URL'].rstrip('/')}/",
        "GF_PATHS_DATA": str(data),
        "GF_PATHS_LOGS": str(data / "log"),
        "GF_PATHS_PLUGINS": str(data / "plugins"),
        "GF_PATHS_PROVISIONING": str(provisioning),
        # `…__FILE` is a habit of the image's start script, and unknown to the program itself.
        "GF_SECURITY_ADMIN_PASSWORD": f"$__file{{{secrets / 'admin_password'}}}",
        "GF_SECURITY_SECRET_KEY": f"$__file{{{secrets / 'secret_key'}}}",
        "EDDIE_PROMETHEUS_URL": local(ctx, "prometheus"),
        "EDDIE_ALERTMANAGER_URL": local(ctx, "alertmanager"),
        "EDDIE_DASHBOARDS_PATH": str(provisioning / "dashboards"),
        "EDDIE_LOCAL_DASHBOARDS_PATH": str(ctx.root / "local" / "dashboards"),
    }
    argv = [found.binaries["grafana"], "server", f"--homepath={found.home}"]
    return _served(ctx, found, argv, own, data)


def _served(ctx: Context, found: Found, argv: list[str], own: Mapping[str, str], cwd: Path) -> Service:
    """Make a service on loopback, with its version and where it came from."""
    address = local(ctx, found.name)
    note = "; ".join([f"from {found.source if found.source != 'archive' else found.place}", *found.notes])
    return Service(
        found.name, argv, environment(ctx, own), str(cwd), address, f"{address}{READY[found.name]}", found.version, note
    )


def local(ctx: Context, name: str) -> str:
    """Return the address of a service on loopback."""
    return f"http://{LOOPBACK}:{ctx.ports[name]}"


def environment(ctx: Context, own: Mapping[str, str]) -> dict[str, str]:
    """Return what a service's environment holds: little of the caller's, our programs first on PATH, its own."""
    handed = {
        key: value for key, value in ctx.env.items() if key.startswith(HANDED_ON) or key.lower() in HANDED_ON_NAMES
    }
    direct = ctx.env.get("NO_PROXY") or ctx.env.get("no_proxy") or ""
    bypass = ",".join([*filter(None, direct.split(",")), *NO_PROXY])
    path = f"{tools_folder(ctx.root, ctx.env) / 'bin'}:{ctx.env.get('PATH', '/usr/bin:/bin')}"
    return {**handed, "PATH": path, "NO_PROXY": bypass, "no_proxy": bypass, **own}


def _settings(file: Path) -> dict[str, str]:
    """Read KEY=value lines, as Compose reads an env_file."""
    lines = (line.strip() for line in file.read_text().splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {key: value for key, _, value in pairs}
