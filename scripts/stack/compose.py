"""Containers: the whole data's way through compose.yaml, started, looked at and stopped."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from stack.compose_rows import published, rows, stands_in
from stack.engine import Engine
from stack.images import SOURCES, Images
from stack.model import Context, ServiceRow, StackError
from stack.ports import check
from stack.settings import PORT_KEYS, is_loopback
from stack.table import complaints, plain

_LABELS = {"exporter": "EDDIE_SOURCES", "board": "EDDIE_BOARD_SOURCES"}
"""How compose.yaml is told what an image of ours is built from."""
INSIDE = "/run/eddie/secrets"
"""Where a container finds its own directory of secrets."""
READY_WITHIN = "180"
"""Seconds until every health check has to be good: Prometheus replays its log before it is ready."""


def environment(ctx: Context) -> dict[str, str]:
    """Answer what compose.yaml asks from the environment, apart from what only the engine knows."""
    read = "" if is_loopback(ctx.env["EDDIE_BIND"]) else f"{INSIDE}/read_token"
    place = {"COMPOSE_PROJECT_NAME": ctx.project, "EDDIE_SECRETS": str(ctx.secrets.absolute())}
    # The board's profile is always seen, so that `ps`, `logs` and `down` know its container; only its name starts it.
    profiles = ",".join(filter(None, [ctx.env.get("COMPOSE_PROFILES"), "board"]))
    return {**ctx.env, **place, "EDDIE_READ_TOKEN_FILE": read, "COMPOSE_PROFILES": profiles}


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
    services = [name for name in asked.services() if name not in {"init", "board"}]
    extra = {"EDDIE_DOCKER_SOCKET": asked.socket()}
    without = pictures.grafana_missing()
    if without:
        ctx.say(f"grafana is left out: {without}")
        services.remove("grafana")
        extra |= _without_grafana(ctx)
        if _board_can_be_had(ctx, pictures):
            services.append("board")
            extra |= _in_place(ctx) | {"EDDIE_GRAFANA_URL": "http://board:8504"}
    elif stands_in(_found(ctx), ctx.ports["grafana"]):
        ctx.say("the board makes room for Grafana")
        asked.compose("rm", "--stop", "--force", "board")
    _check(ctx, services, in_place=bool(without))
    group = asked.socket_group(extra["EDDIE_DOCKER_SOCKET"], pictures.name("docker-proxy"))
    if group:
        extra["EDDIE_DOCKER_GID"] = group
    _build(ctx, pictures, "exporter")
    _start(ctx, pictures, extra, *services)


def board(ctx: Context) -> None:
    """Start the board beside a stack that runs, in Grafana's place where that is missing. Raises StackError."""
    pictures, missing = images(ctx), "grafana" not in _found(ctx)
    why = pictures.board_missing()
    if why:
        raise StackError(f"board: expected its image to be here or built, but {why}; name another in PYTHON_IMAGE")
    extra = _in_place(ctx) if missing else {}
    _check(ctx, ["board"], in_place=missing)
    _build(ctx, pictures, "board")
    # Nothing else: what it needs runs, and is not to be made anew with other settings than `up` has found.
    _start(ctx, pictures, extra, "--no-deps", "board")


def _board_can_be_had(ctx: Context, pictures: Images) -> bool:
    """Have the board's image, by building it if need be; where that fails it is said, and the stack runs without."""
    why = pictures.board_missing()
    try:
        if why is None:
            _build(ctx, pictures, "board")
            return True
    except StackError as error:
        why = f"{error}, its words are above"
    ctx.say(f"board is left out: {why}; make board tries again")
    return False


def _in_place(ctx: Context) -> dict[str, str]:
    """Answer what puts the board where Grafana's links lead."""
    return {"BOARD_PORT": str(ctx.ports["grafana"])}


def _check(ctx: Context, services: list[str], *, in_place: bool) -> None:
    """Raise StackError for ports that somebody else has; `in_place` says that the board takes Grafana's."""
    owners = {name: "grafana" if name == "board" and in_place else name for name in services if name in ctx.ports}
    wanted = {name: ctx.ports[owner] for name, owner in owners.items()}
    keys = {name: PORT_KEYS[owner] for name, owner in owners.items()}
    ours = [name for name, container in _found(ctx).items() if wanted.get(name) in published(container)]
    check(wanted, ctx.env["EDDIE_BIND"], ours=ours, keys=keys)


def _build(ctx: Context, pictures: Images, service: str) -> None:
    """Build a service's own image where it is not made of today's sources. Raises StackError."""
    if pictures.is_built(service):
        return
    ctx.say(f"building the {service}'s image")
    builder = Engine(ctx.root, {**environment(ctx), _LABELS[service]: pictures.sources(service)})
    builder.compose("build", "--quiet", service)
    pictures.renewed = True


def _start(ctx: Context, pictures: Images, extra: Mapping[str, str], *words: str) -> None:
    """Start services and wait for their health. Raises StackError with the words of who is not ready."""
    starter = Engine(ctx.root, {**environment(ctx), **extra})
    try:
        starter.compose("up", "--detach", "--no-build", "--wait", "--wait-timeout", READY_WITHIN, *words)
    except StackError as error:
        said = "\n".join(complaints(status(ctx), partial(last_words, ctx)))
        raise StackError(f"{error}\n{said}\nlook on with: make logs - or give up with: make down") from None
    if pictures.renewed:
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


def _without_grafana(ctx: Context) -> dict[str, str]:
    """Take Grafana from what Prometheus scrapes and what the exporter asks: left out is no alarm."""
    target = ctx.run / "targets"
    # Never anew: a running Prometheus has this very folder mounted.
    shutil.copytree(ctx.root / "prometheus" / "targets", target, ignore=lambda *_: ["grafana.json"], dirs_exist_ok=True)
    return {"EDDIE_TARGETS": str(target.absolute()), "EDDIE_GRAFANA_URL": ""}


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
    return rows(ctx, _found(ctx))


def _found(ctx: Context) -> dict[str, dict[str, Any]]:
    return {row["Service"]: row for row in engine(ctx).containers()}


def logs(ctx: Context, names: list[str]) -> None:
    """Show the named services' logs (all, when none is named) and follow them on a terminal until Ctrl-C."""
    terminal = sys.stdout.isatty()
    plain, follow = ([], ["--follow"]) if terminal else (["--ansi", "never"], [])
    with contextlib.suppress(KeyboardInterrupt):
        subprocess.run(
            ["docker", "compose", *plain, "logs", "--tail", "50", *follow, *names],
            cwd=ctx.root, env=environment(ctx), stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip


def last_words(ctx: Context, name: str) -> list[str]:
    """Answer the last lines a service has logged."""
    return plain(engine(ctx).last_words(name))[-5:]


def holds_data(ctx: Context) -> bool:
    """Say whether volumes of the stack exist; an engine that does not answer may hold them."""
    volumes = engine(ctx).volumes(ctx.project)
    return volumes is None or bool(volumes)
