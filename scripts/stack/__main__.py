"""The command line of the stack: `python3 scripts/stack up|board|down|status|…`; `make` calls it."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
if sys.path[:1] == [str(HERE)] or sys.path[:1] == [os.path.relpath(HERE)]:
    # Run as a folder, Python puts the folder itself first; its modules are meant to be found as stack.<name> only.
    sys.path[0] = str(HERE.parent)

from stack import compose, demo, modes, native, purge, secretfiles, settings, store, table  # noqa: E402
from stack.model import Context, ServiceRow, StackError, Way  # noqa: E402

ROOT = HERE.parent.parent
WAYS: dict[str, Way] = {modes.CONTAINERS: compose, modes.NATIVE: native}

RUN = ("mode", "native", "data", "logs", "targets", "demo", "demo.lock")
"""What a stack keeps in `.run`."""


def say(line: str) -> None:
    """Print at once: whoever reads a pipe sees what happens when it happens."""
    print(line, flush=True)


def context(root: Path) -> Context:
    """Answer the person's own stack, with the settings of `.env` and the caller's environment."""
    env = settings.load(root, os.environ)
    return Context(
        root=root,
        env=env,
        run=settings.own_folder(root, env, "EDDIE_RUN", ".run", RUN),
        secrets=settings.own_folder(root, env, "EDDIE_SECRETS", "secrets", secretfiles.SERVICES),
        ports=settings.ports(env),
        say=say,
        project=env["COMPOSE_PROJECT_NAME"],
    )


def prepare(ctx: Context) -> None:
    """Make secrets and folders that are missing, and say where."""
    to = secretfiles.owner(ctx.root, ctx.env)
    for line in table.made_secrets(secretfiles.ensure(ctx.secrets, to), ctx.root):
        ctx.say(line)
    secretfiles.ensure_local(ctx.root / "local", to)


def up(ctx: Context, *, board: bool = False) -> int:
    """Start the stack, and the board beside it when asked; say what runs; 0 when all is ready."""
    prepare(ctx)
    remembered = modes.recall(ctx.run)
    choice = modes.choose(ctx.env, remembered, lambda mode: WAYS[mode].holds_data(ctx), lambda: compose.fails(ctx))
    modes.remember(ctx.run, choice.mode)
    for path in (ctx.run, ctx.run / "mode"):
        secretfiles.give(path, secretfiles.owner(ctx.root, ctx.env))
    way = WAYS[choice.mode]
    way.up(ctx)
    if board:
        way.board(ctx)
    rows = way.status(ctx)
    _show(ctx, choice.mode, rows, f" ({choice.why})")
    return 0 if all(row.state in table.GOOD for row in rows) else 1


def _show(ctx: Context, mode: str, rows: list[ServiceRow], why: str = "") -> None:
    wrong = table.complaints(rows, partial(WAYS[mode].last_words, ctx))
    for line in [*table.table(rows), f"mode: {mode}{why}", store.line(ctx, mode), *wrong, *table.closing(ctx, rows)]:
        ctx.say(line)


def down(ctx: Context) -> int:
    """Stop the stack; one that does not run is no error."""
    mode = modes.begun(ctx)
    if mode is None:
        ctx.say("no stack was started here")
        return 0
    WAYS[mode].down(ctx)
    ctx.say(f"down: nothing of it runs; its data stays ({mode})")
    return 0


def status(ctx: Context) -> int:
    """Say what runs; 0 when all is ready or nothing runs, 1 when something is not as it should be."""
    mode = modes.begun(ctx)
    rows = WAYS[mode].status(ctx) if mode else []
    if mode is None or all(row.state in {"stopped", "left out"} for row in rows):
        ctx.say("no stack runs; start it with: make up")
        return 0
    _show(ctx, mode, rows)
    return 0 if all(row.state in table.GOOD for row in rows) else 1


def logs(ctx: Context, names: list[str]) -> int:
    """Show logs."""
    mode = modes.begun(ctx)
    if mode is None:
        raise StackError("no stack was started here, so there are no logs; start it with: make up")
    WAYS[mode].logs(ctx, names)
    return 0


def remove(ctx: Context, *, yes: bool) -> int:
    """Remove everything, after a question."""

    def stop() -> None:
        if compose.unreachable(ctx) is None:
            compose.destroy(ctx)
        native.down(ctx)
        # A demo that was killed could not clean up; with `.run` goes the last note of what it left running.
        own = demo.throw_away(ctx)
        if modes.recall(own.run) != modes.CONTAINERS or compose.unreachable(own) is None:
            demo.remove(own, WAYS)

    return purge.purge(ctx, stop, yes=yes)


def run(ctx: Context, words: list[str]) -> int:
    """Run a Python script with the stack's settings in its environment, as `make send` and others do."""
    return subprocess.run([sys.executable, *words], env=ctx.env, stdin=subprocess.DEVNULL, check=False).returncode


def arguments(words: list[str]) -> argparse.Namespace:
    """Read the command line; exits with 2 and a sentence when it is wrong."""
    parser = argparse.ArgumentParser(prog="scripts/stack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start the stack, return when all is ready")
    commands.add_parser("board", help="start the board beside it, and the stack where it does not run")
    commands.add_parser("down", help="stop it, keep its data")
    commands.add_parser("status", help="say what runs")
    commands.add_parser("logs", help="show logs").add_argument("names", nargs="*", metavar="service")
    commands.add_parser("start-fresh", help="give the exporter a new store, move the old one aside")
    commands.add_parser("purge", help="remove everything").add_argument("--yes", action="store_true")
    show = commands.add_parser("demo", help="a throw-away stack with a living fleet")
    show.add_argument("--scenario", default="storm")
    show.add_argument("--into", choices=["", "up"], default="", help="up: into the stack that runs")
    real = commands.add_parser("example", help="the example's program in a throw-away stack, its ledger compared")
    real.add_argument("--into", choices=["", "up"], default="", help="up: into the stack that runs")
    script = commands.add_parser("run", help="run a script with the stack's settings")
    script.add_argument("words", nargs=argparse.REMAINDER)
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """Do one command. Answers the exit status."""
    options = arguments(words)
    commands: dict[str, Callable[[Context], int]] = {
        "up": up,
        "board": lambda ctx: up(ctx, board=True),
        "down": down,
        "status": status,
        "logs": lambda ctx: logs(ctx, options.names),
        "start-fresh": store.start_fresh,
        "purge": lambda ctx: remove(ctx, yes=options.yes),
        "demo": lambda ctx: demo.demo(ctx, WAYS, options.scenario, up=up, into_up=options.into == "up"),
        "example": lambda ctx: demo.demo(ctx, WAYS, demo.EXAMPLE, up=up, into_up=options.into == "up"),
        "run": lambda ctx: run(ctx, options.words),
    }
    try:
        return commands[options.command](context(ROOT))
    except StackError as error:
        print(error, file=sys.stderr, flush=True)
        return error.code
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
