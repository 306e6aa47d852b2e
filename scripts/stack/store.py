"""The exporter's store as a person meets it: where it lies, how big it is, and how a bad one is moved aside."""

from __future__ import annotations

import urllib.parse
from typing import Protocol

from stack import compose_store, modes, native_store, table
from stack.model import Context, StackError
from stack.purge import human

_SIZE = 'max(eddie_store_bytes{job="eddie-metrics"})'


class Keeper(Protocol):
    """How one way to run a stack keeps the store; the modules `compose_store` and `native_store` are one each."""

    def place(self, ctx: Context) -> str:
        """Answer where the store lies, in words a person can use."""

    def size(self, ctx: Context) -> int | None:
        """Answer its bytes, None where that is not known without asking somebody else."""

    def start_fresh(self, ctx: Context) -> None:
        """Stop the exporter, have it move its store aside, start it again where it ran. Raises StackError."""


KEEPERS: dict[str, Keeper] = {modes.CONTAINERS: compose_store, modes.NATIVE: native_store}


def line(ctx: Context, mode: str) -> str:
    """Answer the line of `make status`; no size where neither the files nor Prometheus can be asked at once."""
    keeper = KEEPERS[mode]
    size = keeper.size(ctx)
    if size is None:
        size = exported(ctx)
    return f"store: {keeper.place(ctx)}" + (f", {human(size)}" if size is not None else "")


def exported(ctx: Context) -> int | None:
    """Answer the store's size as it was scraped last: to ask the engine costs it a walk over all its volumes."""
    query = urllib.parse.urlencode({"query": _SIZE})
    try:
        answer = table.ask(f"http://127.0.0.1:{ctx.ports['prometheus']}/api/v1/query?{query}")
        return int(float(answer["data"]["result"][0]["value"][1]))  # type: ignore[index]
    except (OSError, ValueError, LookupError, TypeError):
        return None


def start_fresh(ctx: Context) -> int:
    """Give the exporter a new store and say where the old one lies. Raises StackError."""
    mode = modes.begun(ctx)
    if mode is None:
        raise StackError("no stack was started here, so there is no store to move aside; start one with: make up")
    keeper = KEEPERS[mode]
    keeper.start_fresh(ctx)
    ctx.say(
        f"nothing was deleted: the old store lies aside in {keeper.place(ctx)}; totals begin at zero, which "
        "Prometheus reads as a restart, and batches that no sender can send again are counted as lost"
    )
    return 0
