"""When a fault strikes: at random, and the same again for the same seed."""

from __future__ import annotations

import random
import threading


def chance(seed: int) -> random.Random:
    """Answer a source of random moments."""
    return random.Random(seed)  # noqa: S311  (no secret)


def moment(source: random.Random, low: float, high: float) -> None:
    """Let the load run for a random time between ``low`` and ``high`` seconds: the fault may strike anywhere."""
    threading.Event().wait(source.uniform(low, high))


def run_for(seconds: float) -> None:
    """Let the load run: here time itself is what is tested."""
    threading.Event().wait(seconds)
