"""What one asks a running stack, wherever its engines run: events in at one end, samples out at the other."""

from __future__ import annotations

import urllib.parse
from typing import Any

from fleet.moves import SCRAPED
from fleet.web import ask
from rig.engine import wait_for


class UnexpectedError(AssertionError):
    """A real engine answered something else than expected: perhaps not yet, so whoever waits may ask again."""


def expect(fine: bool, message: str) -> None:
    """Raise UnexpectedError with ``message`` unless ``fine``."""
    if not fine:
        raise UnexpectedError(message)


class Asking:
    """A stack seen from outside: ``urls`` are the addresses of its services by name."""

    def __init__(self, urls: dict[str, str]) -> None:
        self.urls = urls

    def post(self, events: bytes, content_type: str = "application/x-ndjson") -> None:
        """Post events to the exporter; raises UnexpectedError with its answer unless it took all of them."""
        answer = ask(f"{self.urls['exporter']}/events", events, headers={"Content-Type": content_type}, timeout=10.0)
        expect(answer.status == 202, f"expected 202, got {answer.status}: {answer.text[:500]}")

    def prometheus(self, path: str, **parameters: str | float) -> Any:
        """Return ``data`` of a Prometheus API call such as ``prometheus("query", query="up")``."""
        query = urllib.parse.urlencode(parameters)
        answer = ask(f"{self.urls['prometheus']}/api/v1/{path}?{query}", timeout=15.0)
        expect(answer.status == 200, f"expected 200, got {answer.status}: {answer.text[:500]}")
        return answer.json()["data"]

    def samples(self, query: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Return an instant query's samples by their sorted labels."""
        result = self.prometheus("query", query=query)["result"]
        return {tuple(sorted(each["metric"].items())): float(each["value"][1]) for each in result}

    def value(self, query: str) -> float:
        """Return the one sample of an instant query; raises UnexpectedError when there is none or more."""
        samples = self.samples(query)
        expect(len(samples) == 1, f"expected one sample of {query}, got {samples}")
        return next(iter(samples.values()))

    def scraped(self, after: float, within: float = 30.0) -> None:
        """Wait until a scrape of the exporter that began after ``after`` (unix seconds) is in Prometheus."""
        found = wait_for(lambda: max(self.samples(SCRAPED).values(), default=0.0) >= after, within)
        expect(found, f"expected a scrape within {within} s, got none")
