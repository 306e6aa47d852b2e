"""Containers: the whole data's way through compose.yaml, started, looked at and stopped."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stack.engine import Engine
from stack.images import SOURCES, Images
from stack.model import Context, ServiceRow, StackError
from stack.ports import check
from stack.settings import is_loopback

SERVICES = ("exporter", "prometheus", "alertmanager", "grafana", "docker-proxy")
"""In the order of the data's way; `init` ends when it is done and has no line in the table."""
INSIDE = "/run/eddie/secrets"
"""Where a container finds its own directory of secrets."""
READY_WITHIN = "180"
"""Seconds until every health check has to be good: Prometheus replays its log before it is ready."""


def environment(ctx: Context) -> dict[str, str]:
    """Answer what compose.yaml asks from the environment, apart from what only the engine knows."""
    read = "" if is_loopback(ctx.env["EDDIE_BIND"]) else f"{INSIDE}/read_token"
    place = {"COMPOSE_PROJECT_NAME": ctx.project, "EDDIE_SECRETS": str(ctx.secrets.absolute())}
    return {**ctx.env, **place, "EDDIE_READ_TOKEN_FILE": read}


def engine(ctx: Context) -> Engine:
    """Answer the engine as this stack's settings reach it."""
    return Engine(ctx.root, environment(ctx))


def images(ctx: Context) -> Images:
    """Answer the images this stack needs."""
    return Images(engine(ctx), ctx.root, ctx.say)


def unreachable(ctx: Context) -> str | None:
    """Say why there is no engine or no Compose to ask, None when both are there."""
    asked = engine(ctx)
    return asked.unusable() or asked.compose_too_old()


def fails(ctx: Context) -> str | None:
    """Name the first condition of this mode that is not met, None when it can be; it may pull images to find out."""
    return unreachable(ctx) or images(ctx).missing()


def up(ctx: Context) -> None:
    """Start the stack and return when it is ready; what runs as it should is left as it is. Raises StackError."""
    refuse_others(ctx)
    asked, pictures = engine(ctx), images(ctx)
    services = [name for name in asked.services() if name != "init"]
    extra = {"EDDIE_SOURCES": pictures.sources, "EDDIE_DOCKER_SOCKET": asked.socket()}
    without = pictures.grafana_missing()
    if without:
        ctx.say(f"grafana is left out: {without}")
        services.remove("grafana")
        extra |= _without_grafana(ctx)
    wanted = {name: port for name, port in ctx.ports.items() if name in services}
    check(wanted, ctx.env["EDDIE_BIND"], ours=_publishing(asked.containers(), wanted))
    group = asked.socket_group(extra["EDDIE_DOCKER_SOCKET"], pictures.name("docker-proxy"))
    if group:
        extra["EDDIE_DOCKER_GID"] = group
    starter = Engine(ctx.root, {**environment(ctx), **extra})
    built = pictures.is_built
    if not built:
        ctx.say("building the exporter's image")
        starter.compose("build", "--quiet", "exporter")
    try:
        starter.compose("up", "--detach", "--no-build", "--wait", "--wait-timeout", READY_WITHIN, *services)
    except StackError as error:
        raise StackError(f"{error}\n{_complaints(ctx)}\nlook on with: make logs - or give up with: make down") from None
    if not built:
        starter.remove_superseded(SOURCES)


def refuse_others(ctx: Context) -> None:
    """Raise StackError where another checkout's stack has this project's name: Compose would take it for ours."""
    for place in sorted(engine(ctx).checkouts(ctx.project)):
        other = Path(place).resolve()
        # One that is gone was moved: whoever has its containers now may end them.
        if other != ctx.root.resolve() and other.is_dir():
            raise StackError(
                f"project {ctx.project}: expected its containers to be this checkout's, but {place} started them; "
                "go on there, or set COMPOSE_PROJECT_NAME, EDDIE_AGENTS_NETWORK and other ports in .env"
            )


def _publishing(containers: list[dict[str, Any]], wanted: Mapping[str, int]) -> list[str]:
    """Answer the services that run and have their port already, so that nobody else can have it."""
    return [
        row["Service"]
        for row in containers
        if wanted.get(row["Service"]) in {port.get("PublishedPort") for port in row.get("Publishers") or []}
    ]


def _without_grafana(ctx: Context) -> dict[str, str]:
    """Take Grafana from what Prometheus scrapes and what the exporter asks: left out is no alarm."""
    target = ctx.run / "targets"
    # Never anew: a running Prometheus has this very folder mounted.
    shutil.copytree(ctx.root / "prometheus" / "targets", target, ignore=lambda *_: ["grafana.json"], dirs_exist_ok=True)
    return {"EDDIE_TARGETS": str(target.absolute()), "EDDIE_GRAFANA_URL": ""}


def _complaints(ctx: Context) -> str:
    """Answer who is not ready, with the last lines of each one's log."""
    lines: list[str] = []
    for row in status(ctx):
        if row.state not in {"ready", "left out"}:
            lines.append(f"{row.name} is {row.state}; its last words:")
            lines += [f"  {line}" for line in engine(ctx).last_words(row.name)]
    return "\n".join(lines)


def down(ctx: Context) -> None:
    """Stop and remove every container and network of the stack; volumes and images stay."""
    refuse_others(ctx)
    engine(ctx).compose("down", "--remove-orphans", detached=True)


def destroy(ctx: Context) -> None:
    """Remove containers, networks and volumes of the stack, data included."""
    refuse_others(ctx)
    engine(ctx).compose("down", "--remove-orphans", "--volumes", detached=True)


def status(ctx: Context) -> list[ServiceRow]:
    """Answer a row for each service, also when nothing runs."""
    found = {row["Service"]: row for row in engine(ctx).containers()}
    names = [*SERVICES, *(name for name in found if name not in {*SERVICES, "init"})]
    others = bool(found)
    return [_row(ctx, name, found.get(name), left_out=others and name == "grafana") for name in names]


def _row(ctx: Context, name: str, container: dict[str, Any] | None, *, left_out: bool) -> ServiceRow:
    if container is None:
        note = "its image is neither here nor can it be pulled" if left_out else ""
        return ServiceRow(name, "", "left out" if left_out else "stopped", note=note)
    running, health = container["State"] == "running", container.get("Health") or "healthy"
    state = {"healthy": "ready", "starting": "starting"}.get(health, "unready") if running else "stopped"
    if container["State"] == "restarting":
        state = "unready"
    note = "" if running else f"{container['State']}, exit status {container.get('ExitCode')}"
    image = str(container.get("Image", ""))
    version = image.rpartition("/")[2].partition(":")[2]
    return ServiceRow(name, _address(ctx, name) if running else "", state, version, note)


def _address(ctx: Context, name: str) -> str:
    if name not in ctx.ports:
        return ""
    bind = ctx.env["EDDIE_BIND"] if name == "exporter" else "127.0.0.1"
    host = "127.0.0.1" if bind in {"0.0.0.0", "[::]", "::"} else bind
    return f"http://{host}:{ctx.ports[name]}"


def logs(ctx: Context, names: list[str]) -> None:
    """Show the named services' logs (all, when none is named) and follow them on a terminal until Ctrl-C."""
    terminal = sys.stdout.isatty()
    plain, follow = ([], ["--follow"]) if terminal else (["--ansi", "never"], [])
    with contextlib.suppress(KeyboardInterrupt):
        subprocess.run(
            ["docker", "compose", *plain, "logs", "--tail", "50", *follow, *names],
            cwd=ctx.root, env=environment(ctx), stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip


def holds_data(ctx: Context) -> bool:
    """Say whether volumes of the stack exist; an engine that does not answer may hold them."""
    volumes = engine(ctx).volumes(ctx.project)
    return volumes is None or bool(volumes)
