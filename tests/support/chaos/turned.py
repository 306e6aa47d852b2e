"""The exporter under a clock that is wrong by as many seconds as a file says; and how a test turns it.

Not libfaketime: with it CPython's ``time.sleep`` fails (EINVAL) whenever the wall clock is turned and the monotonic
one is not, which no machine's clock does. Here everything that asks Python for the time of day gets the wrong one.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

FILE = "TURNED_CLOCK"


class Clock:
    """What a test turns while the exporter runs."""

    def __init__(self, folder: Path) -> None:
        """Begin with a clock that is right."""
        self._file = folder / "clock"
        self.env = {FILE: str(self._file)}
        self.turn(0)

    def turn(self, seconds: int) -> None:
        """Let it be so far from the truth."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(str(seconds))
        fresh.replace(self._file)


COMMAND = (sys.executable, __file__)


def _turned(right: Callable[[], float], place: str) -> Callable[[], float]:
    def now() -> float:
        with open(place, encoding="ascii") as file:  # noqa: PTH123  (called often)
            return right() + int(file.read())

    return now


def main() -> None:
    """Put the wrong clock in place before the exporter's modules bind it, and run the exporter."""
    wrong = _turned(time.time, os.environ[FILE])
    setattr(time, "time", wrong)  # noqa: B010  (mypy refuses the assignment)
    setattr(time, "time_ns", lambda: round(wrong() * 1e9))  # noqa: B010
    from eddie_exporter.__main__ import main as run  # noqa: PLC0415  (after the clock)

    run()


if __name__ == "__main__":
    main()
