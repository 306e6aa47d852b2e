"""Station *alerted*: is anybody told? Alertmanager is asked which receivers its routes really use.

The inbox and the heartbeat are no persons: with only those, an alert fires and nobody is told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import yaml
from starlette.concurrency import run_in_threadpool

NO_PERSON = frozenset({"inbox", "heartbeat", "deadman", "null", "blackhole"})
"""Receivers of this name tell no person, whatever they send to."""

_KEPT_SECONDS = 30.0
"""How long an answer is kept: a page that is loaded again and again asks Alertmanager twice a minute."""
_UNKNOWN_SECONDS = 5.0
"""How long a failure is kept: an Alertmanager that has just come up is not unknown for long."""
_MOST_BYTES = 2**18
"""A configuration of more is not read: YAML of that size would hold up everybody else."""


@dataclass(frozen=True, slots=True)
class Told:
    """Whether somebody is told of alerts: None when Alertmanager did not say."""

    somebody: bool | None
    says: str
    receivers: list[str] = field(default_factory=list)


def _used(route: dict[str, Any], inherited: str) -> Iterator[str]:
    """Yield the receivers a route and those below it send to."""
    name = str(route.get("receiver") or inherited)
    yield name
    for below in route.get("routes") or []:
        yield from _used(below, name)


def persons(config: str) -> list[str]:
    """Answer the receivers in use that tell a person, sorted. Raises ValueError for what is no configuration."""
    if len(config) > _MOST_BYTES:
        raise ValueError(f"expected a configuration of at most {_MOST_BYTES} bytes, got {len(config)}")
    try:
        read = yaml.safe_load(config)
        sends = {
            str(one["name"]): any(key.endswith("_configs") and value for key, value in one.items())
            for one in read["receivers"]
        }
        used = set(_used(read["route"], ""))
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"expected Alertmanager's configuration, got {type(error).__name__}") from None
    return sorted(name for name in used if sends.get(name) and name not in NO_PERSON)


class Audience:
    """Asks Alertmanager at ``url`` (empty: nobody is asked) and keeps the answer for half a minute."""

    def __init__(self, client: httpx.AsyncClient, url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._url = url.rstrip("/")
        self._clock = clock
        self._kept: tuple[float, Told] | None = None

    async def told(self) -> Told:
        """Answer whether somebody is told; never raises."""
        if not self._url:
            return Told(None, "unknown: EDDIE_ALERTMANAGER_URL is not set")
        if self._kept is not None and self._clock() < self._kept[0]:
            return self._kept[1]
        told = await self._ask()
        self._kept = (self._clock() + (_UNKNOWN_SECONDS if told.somebody is None else _KEPT_SECONDS), told)
        return told

    async def _ask(self) -> Told:
        try:
            answer = await self._client.get(f"{self._url}/api/v2/status")
            answer.raise_for_status()
        except Exception:  # noqa: BLE001  (an address that is none raises what it likes; the page comes all the same)
            return Told(None, "unknown: Alertmanager does not answer")
        try:
            found = await run_in_threadpool(persons, str(answer.json()["config"]["original"]))
        except (ValueError, KeyError, TypeError):
            return Told(None, "unknown: Alertmanager's answer could not be read")
        if not found:
            return Told(somebody=False, says="nobody is told")
        return Told(somebody=True, says=f"told: {', '.join(found)}", receivers=found)
