"""Beside the data's way: asks Alertmanager what fires now and what is silenced; every question is a GET."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from eddie_board.errors import AlertmanagerError


@dataclass(frozen=True, slots=True)
class Told:
    """What Alertmanager answered: its alerts as it gives them, when it started, and whether it has a page of its own.

    ``started`` is in seconds since the epoch.
    """

    alerts: Any
    started: float
    page: bool


class Alertmanager:
    """The Alertmanager at ``url``, asked with ``http``, whose time-out holds."""

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        """Take the client; it stays the caller's to close."""
        self._http = http
        self._url = url.rstrip("/")

    async def ask(self) -> Told:
        """Ask for everything the top of the page shows. Raises AlertmanagerError, which says what was wrong."""
        alerts = await self._json("/api/v2/alerts")
        status = await self._json("/api/v2/status")
        try:
            started = datetime.fromisoformat(status["uptime"]).timestamp()
        except (KeyError, TypeError, ValueError):
            words = f"what answers at {self._url} is no Alertmanager: it names no start time"
            raise AlertmanagerError(words) from None
        return Told(alerts, started, await self._page())

    async def _page(self) -> bool:
        """Say whether a person finds a page there: distributions ship Alertmanager with a sheet of text instead.

        Asked every time, since the Alertmanager behind an address may be replaced; the sheet is 1 kB and has no script.
        """
        answer = await self._get("/")
        return answer.status_code == 200 and "<script" in answer.text

    async def _get(self, path: str) -> httpx.Response:
        try:
            return await self._http.get(self._url + path)
        except httpx.TimeoutException:
            raise AlertmanagerError(f"Alertmanager at {self._url} did not answer in time") from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            words = f"Alertmanager at {self._url} does not answer ({type(error).__name__})"
            raise AlertmanagerError(words) from None

    async def _json(self, path: str) -> Any:
        answer = await self._get(path)
        if answer.status_code != 200:
            raise AlertmanagerError(f"Alertmanager at {self._url} answers HTTP {answer.status_code}")
        try:
            return answer.json()
        except ValueError:
            raise AlertmanagerError(f"what answers at {self._url} is no Alertmanager: no JSON at {path}") from None
