"""Beside the data's way: do Prometheus, Alertmanager and Grafana answer? Asked for the page ``/`` only."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

import httpx

from eddie_exporter.settings import Settings

SECONDS = 1.5
"""How long one may take; all are asked at once, so the page never waits longer."""
READ_BYTES = 4096
"""How much of an answer is read: enough for the few fields of a health answer."""
STAND_INS = {"eddie-board": "Board (in Grafana's place)"}
"""Programs that may answer at another's address, by the name they give in their health answer."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One program of the stack: ``answers`` is None when the exporter was not told where to ask."""

    name: str
    link: str
    answers: bool | None
    says: str


def client() -> httpx.AsyncClient:
    """Make the client for questions to the stack: no proxy of the environment, no redirects, short time-outs."""
    return httpx.AsyncClient(trust_env=False, timeout=SECONDS, follow_redirects=False)


async def _ask(http: httpx.AsyncClient, name: str, link: str, url: str, path: str) -> Neighbour:
    if not url:
        return Neighbour(name, link, None, "not asked: its address is not set")
    try:
        async with asyncio.timeout(SECONDS), http.stream("GET", url.rstrip("/") + path) as answer:
            status, said = answer.status_code, b""
            async for part in answer.aiter_bytes(READ_BYTES):
                said = (said + part)[:READ_BYTES]
                if len(said) == READ_BYTES:
                    break
    except Exception:  # noqa: BLE001  (an address that is none raises what it likes; the page comes all the same)
        return Neighbour(name, link, answers=False, says="does not answer")
    return Neighbour(_who(name, said), link, status == 200, "answers" if status == 200 else f"answers HTTP {status}")


def _who(name: str, said: bytes) -> str:
    """Answer who is really there: a program that stands in for ``name`` says so itself."""
    try:
        health = json.loads(said)
    except ValueError:
        return name
    program = health.get("program") if isinstance(health, dict) else None
    return STAND_INS.get(program, name) if isinstance(program, str) else name


async def look(http: httpx.AsyncClient, settings: Settings) -> list[Neighbour]:
    """Ask all of them at once; never raises."""
    asked = (
        ("Grafana", settings.link("grafana"), settings.grafana_url, "/api/health"),
        ("Prometheus", settings.link("prometheus"), settings.prometheus_url, "/-/ready"),
        ("Alertmanager", settings.link("alertmanager"), settings.alertmanager_url, "/-/ready"),
    )
    return list(await asyncio.gather(*(_ask(http, *one) for one in asked)))
