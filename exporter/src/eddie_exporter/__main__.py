"""Starts the exporter and is the only place that exits; without the exporter's needs it says which are missing."""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
from importlib import metadata
from types import FrameType

DISTRIBUTION = "eddie-metrics"

_needed = re.compile(r"""([A-Za-z0-9._-]+).*;.*\bextra\s*==\s*['"]server['"]""").match


def _stop(_signal: int, _frame: FrameType | None) -> None:
    """End well: uvicorn has its own handler while it serves and calls this one afterwards."""
    raise SystemExit(0)


def missing() -> list[str]:
    """Name what the extra [server] asks for and is not installed; none where that cannot be known."""
    try:
        asked = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return []  # run from a checkout
    return [found[1] for one in asked if (found := _needed(one)) and not _installed(found[1])]


def _installed(name: str) -> bool:
    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False


def _without(names: list[str]) -> str:
    return (
        f"the exporter cannot run here: {', '.join(names)} missing; install them: pip install '{DISTRIBUTION}[server]'"
    )


def _arguments(lacking: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="eddie-exporter",
        description="Counts the fleet's events. Its settings are environment variables: EDDIE_…",
        epilog=_without(lacking) if lacking else None,
    )
    parser.add_argument(
        "--check-config",
        action="store_true",
        help="say what would be used, and what is to be mended; opens no port, changes nothing, and ends (0 or 78)",
    )
    parser.add_argument("--start-fresh", action="store_true", help="move the store aside (nothing is deleted), and end")
    return parser.parse_args()


def _check() -> int:
    """Print what an exporter would use, and to standard error what is to be mended first."""
    from eddie_exporter import checking, logs  # noqa: PLC0415

    logs.configure("critical")  # the report says what is wrong
    report = checking.check()
    for line in report.found:
        print(line)
    for line in report.to_mend:
        print(f"to mend: {line}", file=sys.stderr)
    return os.EX_CONFIG if report.to_mend else 0


def main() -> None:
    """Run until SIGTERM or SIGINT.

    Exits 78 when settings, token files or the installation are wrong, 65 when the store cannot be read (corrupt,
    newer, other buckets), 70 when its disk fails, 75 when another exporter has it, 1 when the port is taken.
    """
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    lacking = missing()
    arguments = _arguments(lacking)
    if lacking:
        print(f"eddie-exporter: {_without(lacking)}", file=sys.stderr)
        sys.exit(os.EX_CONFIG)
    # Only now: what is not installed has been said in one line, and --help has been quick.
    if arguments.check_config:
        sys.exit(_check())
    from eddie_exporter import serving  # noqa: PLC0415

    sys.exit(serving.serve(start_fresh=arguments.start_fresh))


if __name__ == "__main__":
    main()
