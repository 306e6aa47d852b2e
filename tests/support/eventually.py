"""Wait for a promise to come true, without sleeping longer than it takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(check: Callable[[], T], within: float, every: float = 0.1) -> T:
    """Call ``check`` until it neither raises AssertionError nor OSError, and return what it answers.

    ``within`` and ``every`` are seconds. After ``within`` the last error is raised as it is, so that a
    failing test shows what was wrong last and not merely that time ran out.
    """
    deadline = time.monotonic() + within
    pause = threading.Event()
    while True:
        try:
            return check()
        except (AssertionError, OSError):
            if time.monotonic() >= deadline:
                raise
            pause.wait(every)
