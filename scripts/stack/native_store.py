"""Native mode's store of the exporter: a folder below `.run` that only `make purge` removes."""

from __future__ import annotations

import subprocess
from pathlib import Path

from stack import native_control, native_ready, native_services
from stack.model import Context, StackError
from stack.native_places import places
from stack.native_processes import configured, running
from stack.native_user import become_caller, refuse_others
from stack.purge import size_of

SERVICE = "exporter"


def place(ctx: Context) -> str:
    """Return the folder, as short as it can be said from the checkout."""
    folder = _folder(ctx)
    return str(folder.relative_to(ctx.root) if folder.is_relative_to(ctx.root) else folder)


def size(ctx: Context) -> int:
    """Return the bytes of its few files."""
    return size_of(_folder(ctx))


def start_fresh(ctx: Context) -> None:
    """Have the exporter move its store aside while none runs on it. Raises StackError."""
    become_caller(ctx)
    where = places(ctx)
    refuse_others(ctx, where)
    if SERVICE not in configured(where):
        raise StackError(f"expected an exporter that was started here, got none in {where.services}; make up first")
    service = native_services.read(where, SERVICE)
    kept = "supervisor" in running(where)
    if kept:
        native_control.ask(ctx, where, "stop", SERVICE)
    try:
        done = subprocess.run(
            [*service.argv, "--start-fresh"], env=service.env, cwd=service.cwd, stdin=subprocess.DEVNULL, check=False
        )
    finally:
        if kept:
            native_control.ask(ctx, where, "start", SERVICE)
    if done.returncode != 0:
        raise StackError(f"expected the exporter to move its store aside, it ended with {done.returncode}; see above")
    if kept:
        native_ready.wait(ctx, where, [native_services.read(where, name) for name in configured(where)], since=0)


def _folder(ctx: Context) -> Path:
    return places(ctx).data / SERVICE
