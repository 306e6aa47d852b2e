"""Containers: the exporter's store, on a volume of its own that only `make purge` removes."""

from __future__ import annotations

from stack import compose
from stack.model import Context

SERVICE = "exporter"
INSIDE = "/var/lib/eddie"
"""Where the exporter's container finds its volume."""


def place(ctx: Context) -> str:
    """Answer the volume, and where the exporter's container has it."""
    return f"volume {ctx.project}_{SERVICE}-data ({INSIDE} in the {SERVICE}'s container)"


def size(ctx: Context) -> int | None:  # noqa: ARG001 - every Keeper is asked so
    """Know nothing: only the engine sees its volumes."""
    return None


def start_fresh(ctx: Context) -> None:
    """Move the store aside in a container of its own, with nothing else holding it. Raises StackError."""
    compose.refuse_others(ctx)
    engine = compose.engine(ctx)
    found = {row["Service"] for row in engine.containers()}
    if SERVICE in found:
        engine.compose("stop", SERVICE)
    try:
        engine.compose("run", "--rm", "--no-deps", "--no-TTY", SERVICE, "--start-fresh")
    finally:
        if SERVICE in found:
            # The very container, with the settings `make up` gave it.
            words = ("--detach", "--no-build", "--no-deps", "--no-recreate", "--wait", "--wait-timeout")
            engine.compose("up", *words, compose.READY_WITHIN, SERVICE)
        elif not found:
            engine.compose("down", "--remove-orphans", detached=True)
