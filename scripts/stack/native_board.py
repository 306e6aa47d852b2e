"""Native mode's board: the dashboards without a Grafana, in its place where none can be had, beside it when asked."""

from __future__ import annotations

from urllib.parse import urlsplit

from stack import native_control, native_files, native_processes, native_ready, native_services, ports
from stack.model import Context, ServiceRow, StackError
from stack.native_environment import make
from stack.native_places import Places, places
from stack.native_services import LOOPBACK, Service
from stack.settings import PORT_KEYS

_HOW = "set GRAFANA_HOME or put it on PATH, then: make down up"
IN_PLACE = f"stands in for Grafana; to have one, {_HOW}"
BESIDE = "the same dashboards, beside Grafana"
IMPATIENT = {"PIP_RETRIES": "1"}
"""A stack does not wait long for what it can do without; who asks for the board does."""


def instead(ctx: Context) -> Service | None:
    """Return the board in Grafana's place; where its requirements cannot be had, say so and return None."""
    try:
        make(ctx, "board", IMPATIENT)
    except StackError as error:
        why = next((line for line in reversed(str(error).splitlines()) if line.startswith("ERROR")), "see make board")
        ctx.say(f"board: left out, its requirements could not be installed ({why}); make board tries again")
        return None
    ctx.say(f"board: stands in for Grafana on port {ctx.ports['grafana']}")
    return service(ctx, ctx.ports["grafana"], IN_PLACE)


def start(ctx: Context) -> None:
    """Start the board beside a running stack, under its supervisor. Raises StackError."""
    place = places(ctx)
    known = native_processes.configured(place)
    if "board" in known:
        ctx.say(f"the board runs already: {native_services.read(place, 'board').address}")
        return
    make(ctx, "board")
    # Its links lead to Grafana's address: where there is no Grafana, that is where the board has to be.
    made = (
        service(ctx, ctx.ports["board"], BESIDE) if "grafana" in known else service(ctx, ctx.ports["grafana"], IN_PLACE)
    )
    ports.check({"board": port_of(made)}, LOOPBACK, keys={"board": key_of(ctx, made)})
    native_services.add(place, made)
    native_files.supervise(ctx, [*known, "board"])
    try:
        _reload(ctx, place)
        native_ready.wait(ctx, place, [native_services.read(place, name) for name in [*known, "board"]], since=0)
        ctx.say(f"board: started, {made.address}")
    except BaseException:
        (place.services / "board.json").unlink()
        native_files.supervise(ctx, known)
        _reload(ctx, place)
        raise


def service(ctx: Context, port: int, note: str) -> Service:
    """Return the board on a port: read-only, on loopback, with the dashboards that Grafana would have."""
    provisioning = native_services.configs(ctx) / "grafana" / "provisioning"
    own = {
        "PYTHONPATH": str(ctx.root / "board" / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "EDDIE_BOARD_HOST": LOOPBACK,
        "EDDIE_BOARD_PORT": str(port),
        "EDDIE_PROMETHEUS_URL": native_services.local(ctx, "prometheus"),
        "EDDIE_ALERTMANAGER_URL": native_services.local(ctx, "alertmanager"),
        "EDDIE_DASHBOARDS_PATH": str(provisioning / "dashboards"),
        "EDDIE_LOCAL_DASHBOARDS_PATH": str(ctx.root / "local" / "dashboards"),
    }
    argv = [str(native_processes.python(ctx)), "-P", "-m", "eddie_board"]
    address = f"http://{LOOPBACK}:{port}"
    environment = native_services.environment(ctx, own)
    data = str(places(ctx).data / "board")
    return Service("board", argv, environment, data, address, f"{address}/api/health", "", note)


def port_of(made: Service) -> int:
    """Return the port a service listens on."""
    return urlsplit(made.address).port or 0


def key_of(ctx: Context, made: Service) -> str:
    """Return the setting of a service's port: the board has Grafana's in Grafana's place."""
    return PORT_KEYS["grafana" if made.name == "board" and port_of(made) == ctx.ports["grafana"] else made.name]


def absent(name: str, known: list[str]) -> list[ServiceRow]:
    """Return the table's rows of a service that the stack was not started with; a board is missed without a Grafana."""
    if name == "board" and (not known or "grafana" in known):
        return []
    notes = {
        "grafana": "the board stands in for it" if "board" in known else f"no source has it; {_HOW}",
        "board": "its requirements could not be installed; make board tries again",
    }
    left_out = bool(known) and name in notes
    return [ServiceRow(name, "", "left out" if left_out else "stopped", note=notes[name] if left_out else "")]


def _reload(ctx: Context, place: Places) -> None:
    """Make the supervisor read its list of services again; what runs is left alone. Raises StackError."""
    native_control.ask(ctx, place, "reloadconfig")
