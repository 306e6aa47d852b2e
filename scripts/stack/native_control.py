"""Native mode's words to its supervisor while it runs: read the list again, stop a service, start it."""

from __future__ import annotations

import os
import subprocess
import time

from stack.model import Context, StackError
from stack.native_places import Places
from stack.native_processes import python

_PATIENCE = 30.0
"""Seconds: it refuses while it is busy starting something, and gives a service 20 s to end."""


def ask(ctx: Context, place: Places, *words: str) -> None:
    """Ask the supervisor for `words` (`stop exporter`) and wait until that is done. Raises StackError."""
    control = (place.native / "sockets").read_text().strip()
    endpoint = f"ipc://{control}/control.sock"
    command = [str(python(ctx)), "-P", "-m", "circus.circusctl", "--timeout", "25", "--endpoint", endpoint, *words]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    deadline = time.monotonic() + _PATIENCE
    while True:
        done = subprocess.run(
            [*command, "--waiting"], env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        said = (done.stdout + done.stderr).strip()
        if done.returncode == 0 and said == "ok":
            return
        if time.monotonic() >= deadline:
            raise StackError(f"expected the supervisor to do `{' '.join(words)}`, it said: {said}; make down up")
        time.sleep(0.2)
