"""Native mode: the whole data's way as ordinary processes under one supervisor, for machines without an engine."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time

from stack import native_files, native_ready, native_services, ports, tools
from stack.model import Context, ServiceRow, StackError
from stack.native_places import SERVICES, Places, places
from stack.native_processes import configured, pid_of, running, start, stop
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
    _environment(ctx)
    try:
        programs = tools.ensure(ctx.root, ctx.env, ctx.say)
    except tools.MissingProgramError as error:
        raise StackError(str(error)) from error
    made = native_services.services(ctx, programs)
    ports.check({s.name: ctx.ports[s.name] for s in made}, ctx.env.get("EDDIE_BIND") or native_services.LOOPBACK)
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
            left_out = name == "grafana" and bool(known)
            note = "no source has it; set GRAFANA_HOME, or put it on PATH" if left_out else ""
            rows.append(ServiceRow(name, "", "left out" if left_out else "stopped", note=note))
            continue
        service = native_services.read(place, name)
        state = _state(place, service, kept=kept)
        rows.append(ServiceRow(name, service.address, state, service.version, service.note))
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


def _environment(ctx: Context) -> None:
    """Make the virtual environment with the exporter and the supervisor in it; its script knows when all is there."""
    began = time.monotonic()
    done = subprocess.run(
        ["sh", str(ctx.root / "scripts" / "venv.sh"), "native"], cwd=ctx.root, env=ctx.env, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise StackError(f"expected scripts/venv.sh to make the virtual environment, it ended with:\n{said}")
    if time.monotonic() - began > 5:
        ctx.say(f"made the virtual environment .venv ({time.monotonic() - began:.0f} s)")
