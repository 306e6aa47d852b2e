"""Native mode's virtual environment: one for the exporter and the supervisor, and for the board where it is needed."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping

from stack.model import Context, StackError

_SLOW = 5.0
"""Seconds after which it is said what took so long."""


def make(ctx: Context, which: str, more: Mapping[str, str] | None = None) -> None:
    """Install what `which` (native, board) names, where it is not there yet; its script knows when all is there.

    `more` are variables for pip. Raises StackError with the end of what the script said.
    """
    began = time.monotonic()
    done = subprocess.run(
        ["sh", str(ctx.root / "scripts" / "venv.sh"), which], cwd=ctx.root, env={**ctx.env, **(more or {})},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise StackError(f"expected scripts/venv.sh to make the virtual environment, it ended with:\n{said}")
    if time.monotonic() - began > _SLOW:
        parts = {"native": "the exporter and the supervisor", "board": "the board"}[which]
        ctx.say(f"installed {parts} into the virtual environment .venv ({time.monotonic() - began:.0f} s)")
