"""Containers: what the table says of each service, from what Compose tells of the containers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stack.model import Context, ServiceRow

SERVICES = ("exporter", "prometheus", "alertmanager", "grafana", "board", "docker-proxy")
"""In the order of the data's way; `init` ends when it is done and has no line in the table."""
_NO_IMAGE = "its image is neither here nor can it be pulled"
_NOTES = {
    "in place": "stands in for Grafana; to have one, load its image or name a mirror's in GRAFANA_IMAGE, then: make up",
    "beside": "the same dashboards, beside Grafana",
    "missing": "its image could not be built; make board tries again",
}


def rows(ctx: Context, found: Mapping[str, dict[str, Any]]) -> list[ServiceRow]:
    """Answer a row for each service, also when nothing runs; a board that nobody asked for has none."""
    names = [*SERVICES, *(name for name in found if name not in {*SERVICES, "init"})]
    if "board" not in found and ("grafana" in found or not found):
        names.remove("board")
    return [_row(ctx, name, found) for name in names]


def stands_in(found: Mapping[str, dict[str, Any]], port: int) -> bool:
    """Say whether the board has Grafana's port."""
    return "board" in found and port in published(found["board"])


def published(container: Mapping[str, Any]) -> set[int]:
    """Answer the ports of this machine that a container has."""
    return {port["PublishedPort"] for port in container.get("Publishers") or [] if port.get("PublishedPort")}


def _row(ctx: Context, name: str, found: Mapping[str, dict[str, Any]]) -> ServiceRow:
    container = found.get(name)
    in_place = stands_in(found, ctx.ports["grafana"])
    if container is None:
        notes = {
            "grafana": f"{_NO_IMAGE}; the board stands in for it" if in_place else _NO_IMAGE,
            "board": _NOTES["missing"],
        }
        left_out = bool(found) and name in notes
        return ServiceRow(name, "", "left out" if left_out else "stopped", note=notes[name] if left_out else "")
    running, health = container["State"] == "running", container.get("Health") or "healthy"
    state = {"healthy": "ready", "starting": "starting"}.get(health, "unready") if running else "stopped"
    if container["State"] == "restarting":
        state = "unready"
    note = _NOTES["in place" if in_place else "beside"] if name == "board" else ""
    note = note if running else f"{container['State']}, exit status {container.get('ExitCode')}"
    image = str(container.get("Image", ""))
    version = image.rpartition("/")[2].partition(":")[2]
    return ServiceRow(name, _address(ctx, name, in_place=in_place) if running else "", state, version, note)


def _address(ctx: Context, name: str, *, in_place: bool) -> str:
    if name not in ctx.ports:
        return ""
    bind = ctx.env["EDDIE_BIND"] if name == "exporter" else "127.0.0.1"
    host = "127.0.0.1" if bind in {"0.0.0.0", "[::]", "::"} else bind
    return f"http://{host}:{ctx.ports['grafana' if name == 'board' and in_place else name]}"
