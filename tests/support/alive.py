"""A stack in which something has happened: a simulated fleet's events, sent in few seconds, on real engines."""

from __future__ import annotations

import json
import time

from tests.support.stories import story

from rig.stack import Stack

PARTS = 4
"""The story is told in so many parts with a scrape between them: what grows from scrape to scrape has a rate."""


def tell(stack: Stack, scenario: str = "storm", seed: int = 7, seconds: float = 900.0) -> None:
    """Post a story's events, and return when Prometheus has scraped the last of them."""
    happenings = story(scenario, seed, seconds)
    size = -(-len(happenings) // PARTS)
    stack.scraped(time.time())
    for begin in range(0, len(happenings), size):
        lines = [json.dumps(each.event) for each in happenings[begin : begin + size]]
        for part in range(0, len(lines), 5000):
            stack.post("\n".join(lines[part : part + 5000]).encode())
        stack.scraped(time.time())
        stack.scraped(time.time())
