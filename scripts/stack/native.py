"""Native mode: the whole data's way as ordinary processes under one supervisor, for machines without an engine."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time

from stack import native_board, native_environment, native_files, native_ready, native_services, ports, table, tools
from stack.model import Context, ServiceRow, StackError
from stack.native_places import SERVICES, Places, places
from stack.native_processes import configured, pid_of, running, start, starts, stop
from stack.native_user import become_caller, refuse_others

LOGGED = (*SERVICES, "supervisor")


def up(ctx: Context) -> None:
    """Start the stack and return when it is ready; a running one is left as it is. Raises StackError otherwise."""
    become_caller(ctx)
    place = places(ctx)
    refuse_others(ctx, place)
    if _complete(place):
        native_ready.wait(ctx, place, [native_services.read(place, name) for name in configured(place)], since=0)
        ctx.say("the stack runs already; nothing was changed")
        return
    if running(place):
        ctx.say(f"ending what a killed stack left: {', '.join(running(place))}")
    stop(place)  # also forgets the notes of processes that a reboot ended
    native_environment.make(ctx, "native")
    try:
        programs = tools.ensure(ctx.root, ctx.env, ctx.say)
    except tools.MissingProgramError as error:
        raise StackError(str(error)) from error
    made = native_services.services(ctx, programs, None if "grafana" in programs else native_board.instead(ctx))
    wanted = {service.name: native_board.port_of(service) for service in made}
    keys = {service.name: native_board.key_of(ctx, service) for service in made}
    ports.check(wanted, ctx.env.get("EDDIE_BIND") or native_services.LOOPBACK, keys=keys)
    place.make()
    native_services.write(place, made)
    native_files.write(ctx, made)
    began = time.time()
    try:
        start(ctx, place)
        native_ready.wait(ctx, place, made, began)
    except BaseException:
        stop(place)
        raise


def board(ctx: Context) -> None:
    """Start the board beside a stack that runs; one that runs already is left as it is. Raises StackError."""
    native_board.start(ctx)


def down(ctx: Context) -> None:
    """End exactly what `up` started and keep all data; nothing of it running is no error."""
    refuse_others(ctx, places(ctx))
    if not stop(places(ctx)):
        ctx.say("no process of this stack runs")


def status(ctx: Context) -> list[ServiceRow]:
    """Return a row for each service, also when nothing runs."""
    place = places(ctx)
    refuse_others(ctx, place)
    known = configured(place)
    kept = bool(running(place).keys() & {"guard", "supervisor"})
    rows = []
    for name in SERVICES:
        if name not in known:
            rows += native_board.absent(name, known)
            continue
        service = native_services.read(place, name)
        state = _state(place, service, kept=kept)
        often = f"started {starts(place, name)} times" if state in {"starting", "unready"} else ""
        note = "; ".join(filter(None, [service.note, often]))
        rows.append(ServiceRow(name, service.address, state, service.version, note))
    return rows


def logs(ctx: Context, names: list[str]) -> None:
    """Show the named services' logs (all, when none is named) and follow them on a terminal until Ctrl-C."""
    place = places(ctx)
    refuse_others(ctx, place)
    wrong = [name for name in names if name not in LOGGED]
    if wrong:
        raise StackError(f"expected services out of {', '.join(LOGGED)}, got {', '.join(wrong)}", code=2)
    files = [str(place.log(name)) for name in names or LOGGED if names or place.log(name).is_file()]
    if not files:
        ctx.say(f"no logs in {place.logs}: nothing was ever started")
        return
    follow = ["-F"] if sys.stdout.isatty() else []
    with contextlib.suppress(KeyboardInterrupt):
        subprocess.run(["tail", "-n", "50", *follow, *files], check=False)


def last_words(ctx: Context, name: str) -> list[str]:
    """Return the last lines a service has logged, each once."""
    return table.plain(native_ready.last_lines(places(ctx).log(name), 10))[-5:]


def holds_data(ctx: Context) -> bool:
    """Tell whether a service has stored anything that `make down` kept."""
    return any(path.is_file() for path in places(ctx).data.rglob("*"))


def _complete(place: Places) -> bool:
    """Tell whether keepers run and a service is at most between two starts."""
    return {"guard", "supervisor"} <= running(place).keys() and bool(configured(place))


def _state(place: Places, service: native_services.Service, *, kept: bool) -> str:
    """Return the state of a service in the words of the table."""
    if pid_of(place, service.name) is None:
        return "starting" if kept else "stopped"
    return "ready" if native_ready.is_ready(service) else "unready"
