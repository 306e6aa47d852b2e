#!/usr/bin/env python3
"""Replay an NDJSON event log into the exporter, counted once and at now, or write it as Prometheus's blocks want it.

Needs Python 3.11 and nothing else; `--to-blocks` needs what the exporter needs. A replay that was broken off goes on
where it was: type the same again. Exit codes: 0 all of it is counted (written), 1 lines were refused and kept in
LOG.rejected (OUT.rejected), or the last line is not ended yet, 2 a wrong call, 3 broken off.

LOG may be packed by gzip; `-` is standard input, which is kept in this folder under a name made of its content.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "exporter/src"))  # the contract, where it is not installed

from eddie_metrics.errors import ClientError  # noqa: E402 - after the path above
from eddie_metrics.settings import token_of  # noqa: E402
from eddie_metrics.wire import Wire  # noqa: E402
from replaying.batches import Noted, begin  # noqa: E402
from replaying.log import Refusals, ReplayError  # noqa: E402
from replaying.sending import Replay  # noqa: E402
from replaying.source import PIPED, Source, opened  # noqa: E402

NOW = (
    "Every event is counted at now, whenever it happened: totals are right, and rates, increases and latencies of these"
    " minutes show all of it at once. While most events that arrive are late, LateEventsArriving holds back the alerts"
    " on rates. With its own times a log gets into Prometheus by --to-blocks."
)


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line, with the port of the environment (the Makefile's, from `.env`) as default."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    port = os.environ.get("EDDIE_PORT") or "8503"
    parser.add_argument(
        "log", metavar="LOG", help="one event a line, each with its kind (NDJSON), also as gzip; - is standard input"
    )
    parser.add_argument("--url", default=f"http://127.0.0.1:{port}", help="the exporter (%(default)s)")
    parser.add_argument("--token-file", type=Path, default=ROOT / "secrets/exporter/ingest_token")
    parser.add_argument("--producer", default="replay", help="who sends, as the exporter knows it (%(default)s)")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds to wait for an exporter (%(default)s)")
    parser.add_argument("--again", action="store_true", help="from the beginning: what arrived before counts twice")
    parser.add_argument("--to-blocks", type=Path, metavar="OUT", help="send nothing, write OpenMetrics to OUT")
    parser.add_argument("--step", type=float, default=15.0, help="seconds between samples in OUT (%(default)s)")
    parser.add_argument("--instance", default="replay", help="the label instance in OUT (%(default)s)")
    return parser.parse_args(words)


def say(text: str) -> None:
    """Tell the person who waits."""
    print(text, file=sys.stderr, flush=True)


def beside(source: Source, suffix: str) -> Path:
    """Answer the small file of this name beside the log."""
    return source.named.with_name(source.named.name + suffix)


def send(options: argparse.Namespace, source: Source) -> Refusals:
    """Send what is not answered yet. Raises ReplayError, ClientError, OSError."""
    log, state = source.plain, beside(source, ".replay")
    refusals = Refusals(beside(source, ".rejected"))
    noted = begin(log, options.producer, None if options.again else Noted.read(state), again=options.again)
    token = token_of(options.token_file, noted.producer) if options.token_file.is_file() else None
    say(NOW)
    if noted.done.byte or noted.under_way:
        say(f"{source.named} was replayed up to line {noted.done.line - 1} before ({state}); going on from there")
    with contextlib.closing(Wire(options.url)) as wire, source.named.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ReplayError(
                f"expected {source.named} for this replay alone, another one sends it: wait for it"
            ) from None
        Replay(log, state, noted, refusals, wire, token, options.patience, say).run()
    refusals.count = noted.rejected
    print(f"{noted.counted} events counted, {noted.rejected} lines refused; {state} remembers that")
    return refusals


def write(options: argparse.Namespace, source: Source) -> Refusals:
    """Write the log as OpenMetrics. Raises ReplayError, OSError."""
    try:
        from replaying import blocks  # noqa: PLC0415 - needs what only this way needs
    except ImportError as error:
        raise ReplayError(
            f"{error}: --to-blocks counts with the exporter's own code; type {ROOT}/.venv/bin/python in front"
        ) from error
    # Its own file: the one beside the log belongs to a replay that may have been broken off.
    refusals = Refusals(options.to_blocks.with_name(options.to_blocks.name + ".rejected"))
    refusals.back_to(0)
    written = blocks.write(source.plain, options.to_blocks, options.step, options.instance, refusals)
    for text in written.lines():
        print(text)
    return refusals


def unfinished(log: Path) -> bool:
    """Whether somebody has yet to end the last line."""
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        return size > 0 and file.read() != b"\n"


def main(words: list[str] | None = None) -> int:
    """Replay, and say what became of it."""
    options = arguments(words)
    if options.log != PIPED and not Path(options.log).is_file():
        say(f"expected a log, one event a line, got {options.log}, which is no file")
        return 2
    try:
        with opened(options.log, Path.cwd()) as found:
            refusals = write(options, found) if options.to_blocks else send(options, found)
            tail = unfinished(found.plain)
    except ReplayError as error:
        say(str(error))
        return 3
    except (ClientError, OSError) as error:
        say(f"{error}; mend that and type the same again")
        return 3
    except KeyboardInterrupt:
        say("broken off; type the same again to go on")
        return 3
    if refusals.count:
        say(f"{refusals.count} lines were refused; they are in {refusals.path} with the reason")
    if tail:
        say("the last line has no end: it is left out until it has one")
    return 1 if refusals.count or tail else 0


if __name__ == "__main__":
    sys.exit(main())
