"""What a scrape says: read from the text format, small and quick, because it is done twenty times a second."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from tests.support.chaos.traffic import Series

_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r'\\(["\\n])')
_NEVER_DOWN = frozenset({"counter", "histogram", "summary"})


@dataclass(frozen=True)
class Scrape:
    """One scrape: every sample by its line's beginning, and the names of those that may only grow."""

    values: dict[str, float]
    growing: frozenset[str]

    def samples(self, names: Collection[str]) -> dict[Series, float]:
        """Answer the samples of these names."""
        return {_series(key): value for key, value in self.values.items() if key.partition("{")[0] in names}

    def total(self, name: str) -> float:
        """Answer the sum over all series of a sample's name."""
        return sum(self.samples({name}).values())


def _series(key: str) -> Series:
    name, _, labels = key.partition("{")
    found = ((label, _ESCAPED.sub(_plain, value)) for label, value in _LABEL.findall(labels))
    return name, tuple(sorted(found))


def _plain(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1]


def read(text: str) -> Scrape:
    """Read the text format 0.0.4."""
    values: dict[str, float] = {}
    growing: set[str] = set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ", 3)
            if kind in _NEVER_DOWN:
                growing |= {name, f"{name}_bucket", f"{name}_count", f"{name}_sum"}
        elif not line.startswith("#"):
            key, _, value = line.rpartition(" ")
            values[key] = float(value)
    return Scrape(values, frozenset(growing))


def get(port: int, path: str, timeout: float = 10) -> tuple[int, bytes]:
    """Read an address of this machine. Raises OSError."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        link.request("GET", path)
        answer = link.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException as error:
        raise ConnectionError("expected a whole answer") from error
    finally:
        link.close()


def scrape(port: int) -> Scrape:
    """Scrape the exporter. Raises OSError."""
    status, body = get(port, "/metrics/prometheus")
    if status != 200:
        raise ConnectionError(f"expected a scrape, got {status}")
    return read(body.decode())


def summary(port: int) -> dict[str, Any]:
    """Read the summary."""
    status, body = get(port, "/metrics/summary?last=0")
    assert status == 200, f"expected a summary, got {status} {body[:200]!r}"
    found = json.loads(body)
    assert isinstance(found, dict)
    return found
