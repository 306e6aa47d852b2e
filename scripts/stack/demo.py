"""The demo: a throw-away stack with a living fleet, in the foreground; when it ends nothing of it is left."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from types import FrameType

from stack import compose, modes
from stack.model import Context, StackError, Way
from stack.native_services import exporter_host

EXAMPLE = "example"
"""Where the fleet's scenario is said: not a simulation but the program in `examples/fallback`, which ends."""
PYTHON_IMAGE = "python:3.11-slim-bookworm"
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopAskedError(Exception):
    """The person has seen enough: Ctrl-C, SIGTERM, or their terminal went away."""


def throw_away(ctx: Context) -> Context:
    """Answer a stack of its own: data, secrets, project, network; on the same ports, and only the inbox is told."""
    run = ctx.run / "demo"
    env = {**ctx.env, "EDDIE_BIND": "127.0.0.1", "EDDIE_ENVIRONMENT": "demo"}
    project = f"{ctx.project}-demo"
    env["EDDIE_AGENTS_NETWORK"] = f"{project}-agents"
    return dataclasses.replace(ctx, env=env, run=run, secrets=run / "secrets", project=project)


def running_mode(ctx: Context, ways: Mapping[str, Way]) -> str | None:
    """Answer the mode the person's own stack runs in, None when it does not run."""
    mode = modes.begun(ctx)
    if mode is None:
        return None
    states = {row.state for row in ways[mode].status(ctx)}
    return mode if states & {"ready", "starting", "unready"} else None


def demo(
    ctx: Context,
    ways: Mapping[str, Way],
    scenario: str,
    *,
    up: Callable[[Context], int],
    into_up: bool,
) -> int:
    """Run the fleet until it is stopped, or the example (scenario `example`) until it ends.

    Raises StackError when a stack runs and `into_up` does not ask for it.
    """
    runs = running_mode(ctx, ways)
    what, make = ("example", "example") if scenario == EXAMPLE else ("fleet", "demo")
    if runs and not into_up:
        raise StackError(
            f"a stack runs here, and the {make} would leave its events in that stack's data; "
            f"stop it first:  make down  - or accept that:  make {make} INTO=up"
        )
    if into_up and not runs:
        raise StackError("INTO=up: expected a running stack, got none; start it with:  make up")
    if into_up:
        ctx.say(
            f"the {what} goes into the running stack: its counts, series and notifications stay in that stack's data, "
            f"under agents whose names begin with {make}-"
        )
        return fleet(ctx, scenario)
    own = throw_away(ctx)
    with _only_one(ctx), _stoppable():
        remove(own, ways)
        try:
            up(own)
            own.say(f"the {what} starts; Ctrl-C ends it and removes all of it (the inbox: {_exporter(own)})")
            status = fleet(own, scenario)
        except StopAskedError:
            status = 0
        finally:
            _deaf()
            own.say("removing the demo")
            remove(own, ways)
    own.say("the demo is gone, data included")
    return status


def _exporter(ctx: Context) -> str:
    return f"http://{exporter_host(ctx)}:{ctx.ports['exporter']}/"


def remove(ctx: Context, ways: Mapping[str, Way]) -> None:
    """Leave nothing of a throw-away stack, nor of one that was killed before it could clean up."""
    mode = modes.recall(ctx.run)
    if mode == modes.CONTAINERS:
        compose.destroy(ctx)
    elif mode:
        quiet = dataclasses.replace(ctx, say=lambda _: None)
        ways[mode].down(quiet)
    shutil.rmtree(ctx.run, ignore_errors=True)


def fleet(ctx: Context, scenario: str) -> int:
    """Run the fleet in the foreground; it ends by itself when it gets our Ctrl-C or SIGTERM. Answers its status."""
    command = [sys.executable, str(ctx.root / "scripts" / "demo_fleet.py"), "--scenario", scenario]
    command += ["--url", _exporter(ctx).rstrip("/")]
    if scenario == EXAMPLE:
        command = _example(ctx)
    command += ["--token-file", str(ctx.secrets / "exporter" / "ingest_token")]
    process = subprocess.Popen(command, env=ctx.env, stdin=subprocess.DEVNULL)
    try:
        return process.wait()
    except (StopAskedError, KeyboardInterrupt):
        process.terminate()
        try:
            status = process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        # Ended by the signal, because it had none of its own handlers yet, or no longer: that is what was asked.
        return 0 if status in {-signal.SIGINT, -signal.SIGTERM} else status


def _example(ctx: Context) -> list[str]:
    """Answer the command of the example: in containers where there is an image, beside the exporter if it is in one."""
    command = [sys.executable, str(ctx.root / "scripts" / "example.py"), "--exporter", _exporter(ctx).rstrip("/")]
    command += ["--prometheus", f"http://127.0.0.1:{ctx.ports['prometheus']}"]
    command += ["--image", ctx.env.get("PYTHON_IMAGE") or PYTHON_IMAGE]
    if modes.recall(ctx.run) == modes.CONTAINERS:
        command += ["--network", ctx.env.get("EDDIE_AGENTS_NETWORK") or "eddie-agents"]
        command += ["--inside", "http://exporter:8503"]
    return command


@contextlib.contextmanager
def _only_one(ctx: Context) -> Iterator[None]:
    """Hold this checkout's only place for a demo: a second one would begin by removing the first."""
    ctx.run.mkdir(parents=True, exist_ok=True)
    with (ctx.run / "demo.lock").open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError("a demo runs here already; end that one first, with Ctrl-C where it runs") from None
        try:
            yield
        finally:
            (ctx.run / "demo.lock").unlink()


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Turn the signals that end a demo into StopAskedError, and give them back afterwards."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise StopAskedError

    before = {number: signal.signal(number, stop) for number in _STOPS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _deaf() -> None:
    """Hear no further signal while it is removed: a second Ctrl-C would leave half of it."""
    for number in _STOPS:
        signal.signal(number, signal.SIG_IGN)
