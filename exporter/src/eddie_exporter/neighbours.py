"""Beside the data's way: do Prometheus, Alertmanager and Grafana answer? Asked for the page ``/`` only."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from urllib.parse import quote

import httpx

from eddie_exporter.settings import Settings

SECONDS = 1.5
"""How long one may take; all are asked at once, so the page never waits longer."""
READ_BYTES = 4096
"""How much of an answer is read: enough for the few fields of a health answer."""
NOT_ASKED = "not asked: its address is not set"
SCRAPED = 'up{job="grafana"}'
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


async def _read(http: httpx.AsyncClient, url: str) -> tuple[int, bytes]:
    """Answer status and the first bytes of what an address says. Raises whatever an address that is none raises."""
    said = b""
    async with asyncio.timeout(SECONDS), http.stream("GET", url) as answer:
        async for part in answer.aiter_bytes(READ_BYTES):
            said = (said + part)[:READ_BYTES]
            if len(said) == READ_BYTES:
                break
        return answer.status_code, said


async def _ask(http: httpx.AsyncClient, name: str, link: str, url: str, path: str) -> Neighbour:
    if not url:
        return Neighbour(name, link, None, NOT_ASKED)
    try:
        status, said = await _read(http, url.rstrip("/") + path)
    except Exception:  # noqa: BLE001  (an address that is none raises what it likes; the page comes all the same)
        return Neighbour(name, link, answers=False, says="does not answer")
    return Neighbour(_who(name, said), link, status == 200, "answers" if status == 200 else f"answers HTTP {status}")


async def _grafana(http: httpx.AsyncClient, settings: Settings) -> Neighbour:
    """Ask Grafana, or, where no way leads to it, Prometheus, which scrapes it.

    In containers none does on purpose: what agents post to is not to reach what people are logged in to.
    """
    link = settings.link("grafana")
    if settings.grafana_url or not settings.prometheus_url:
        return await _ask(http, "Grafana", link, settings.grafana_url, "/api/health")
    try:
        _, said = await _read(http, f"{settings.prometheus_url.rstrip('/')}/api/v1/query?query={quote(SCRAPED)}")
        up = json.loads(said)["data"]["result"][0]["value"][1] == "1"
    except Exception:  # noqa: BLE001  (the same, and a Prometheus that scrapes no Grafana)
        return Neighbour("Grafana", link, None, NOT_ASKED)
    return Neighbour("Grafana", link, up, "answers Prometheus" if up else "does not answer Prometheus")


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
        ("Prometheus", settings.link("prometheus"), settings.prometheus_url, "/-/ready"),
        ("Alertmanager", settings.link("alertmanager"), settings.alertmanager_url, "/-/ready"),
    )
    return list(await asyncio.gather(_grafana(http, settings), *(_ask(http, *one) for one in asked)))
