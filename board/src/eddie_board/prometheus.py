"""Station "prometheus": questions to Prometheus's HTTP API, with a time-out, and its faults as sentences."""

from __future__ import annotations

import asyncio
import math
import re
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import orjson

from eddie_board.errors import PrometheusError
from eddie_board.frames import Columns, columns
from eddie_board.queries import UNITS, Query
from eddie_board.settings import Settings

CONNECTIONS = 16
"""Questions at the same time; Prometheus itself works at 20, and leaves some to Grafana and to people."""

TURN_SECONDS = 60.0
"""How long a question waits for its turn. That is this board's queue and nothing Prometheus does: fifty views that
differ ask a thousand questions at one beat."""

LONGEST = 8000
"""Characters of a question in an address."""

MOST_BYTES = 32_000_000
"""An answer's size: a thousand series of 720 points; more is a query to mend, and this page's memory."""

MOST_SERIES = 1000
"""Series of an answer: Prometheus (3.0 and later) says in a warning that it left some out."""


@dataclass(slots=True)
class Prometheus:
    """One Prometheus; every method raises PrometheusError with a sentence that says what is wrong."""

    settings: Settings
    client: httpx.AsyncClient
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONNECTIONS))

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Make one with a client of its own; leave it with ``async with``, or aclose()."""
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        # No time-out of its own: asyncio.timeout below counts the whole of an answer.
        return cls(settings, httpx.AsyncClient(trust_env=False, limits=limits, timeout=None))  # noqa: S113

    async def get(self, path: str, **parameters: str | float) -> Any:
        """Ask /api/v1/``path``; answer the ``data`` of it."""
        return (await self._ask(path, parameters))["data"]

    async def columns(self, query: Query) -> Columns:
        """Ask ``query`` over its range (or at its end), and answer columns on the whole grid."""
        parameters: dict[str, str | float] = {
            "query": query.expression,
            "timeout": f"{round(self.settings.board_timeout_seconds * 1000)}ms",
            "limit": MOST_SERIES,
        }
        if query.instant:
            answer = await self._ask("query", {**parameters, "time": query.end})
        else:
            times: dict[str, str | float] = {"start": query.start, "end": query.end, "step": query.step}
            answer = await self._ask("query_range", parameters | times)
        try:
            return columns(query, answer["data"], [f"Prometheus warns: {one}" for one in answer.get("warnings", [])])
        except (KeyError, TypeError, ValueError) as error:
            raise self._odd(f"{type(error).__name__}: {error}") from None

    async def query(self, expression: str, at: float) -> list[tuple[dict[str, str], float]]:
        """Ask for an instant vector (or scalar) at ``at`` seconds: labels and value of each series."""
        data = await self.get("query", query=expression, time=at, timeout=f"{self.settings.board_timeout_seconds:g}s")
        try:
            if data["resultType"] == "scalar":
                return [({}, float(data["result"][1]))]
            return [(each["metric"], float(each["value"][1])) for each in data["result"]]
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise self._odd(f"{type(error).__name__}: {error}") from None

    async def label_values(self, label: str, match: str, start: float, end: float) -> tuple[str, ...]:
        """Ask for the values of ``label`` on the series of ``match`` (empty: all) between two times in seconds."""
        parameters: dict[str, str | float] = {"start": start, "end": end} | ({"match[]": match} if match else {})
        data = await self.get(f"label/{label}/values", **parameters)
        if not isinstance(data, list):
            raise self._odd("no list of values")
        return tuple(str(each) for each in data)

    async def retention(self) -> float:
        """Ask how many seconds Prometheus keeps; infinity where it keeps by size alone."""
        data = await self.get("status/runtimeinfo")
        kept = str(data.get("storageRetention", "")) if isinstance(data, dict) else ""
        found = re.match(r"(?:\d+(?:ms|[smhdwy]))+", kept)
        if not found:
            return math.inf
        parts = re.findall(r"(\d+)(ms|[smhdwy])", found[0])
        return sum(int(number) * UNITS[unit] for number, unit in parts) or math.inf

    async def aclose(self) -> None:
        """Let the connections go."""
        await self.client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _ask(self, path: str, parameters: dict[str, str | float]) -> dict[str, Any]:
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await self._turns.acquire()
        except TimeoutError:
            words = f"more is asked of Prometheus than it answers: no turn within {TURN_SECONDS:g} s"
            raise PrometheusError("slow", words) from None
        try:
            return await self._answered(path, parameters)
        finally:
            self._turns.release()

    async def _answered(self, path: str, parameters: dict[str, str | float]) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self.settings.board_timeout_seconds):
                status, body = await self._read(f"{self.settings.prometheus_url}/api/v1/{path}", parameters)
        except TimeoutError:
            seconds = self.settings.board_timeout_seconds
            raise PrometheusError("slow", f"Prometheus gave no answer within {seconds:g} s ({self._where()})") from None
        except httpx.ConnectError:
            raise PrometheusError("down", f"Prometheus is not there: nobody listens at {self._where()}") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise PrometheusError(
                "down", f"Prometheus broke off in its answer ({type(error).__name__} at {self._where()})"
            ) from None
        try:
            answer = orjson.loads(body)
        except orjson.JSONDecodeError:
            answer = None
        answer = answer if isinstance(answer, dict) else {}
        if status == 200 and answer.get("status") == "success" and "data" in answer:
            return answer
        raise self._fault(status, str(answer.get("errorType", "")), str(answer.get("error", "")))

    async def _read(self, url: str, parameters: dict[str, str | float]) -> tuple[int, bytes]:
        body = bytearray()
        size = sum(len(str(each)) for each in parameters.values())
        # Prometheus takes queries as forms too; an address of ten thousand agents' names would be refused.
        form = size > LONGEST and url.endswith(("/query", "/query_range"))
        asked = {"method": "POST", "data": parameters} if form else {"method": "GET", "params": parameters}
        async with self.client.stream(url=url, **asked) as response:  # type: ignore[arg-type]
            async for part in response.aiter_bytes():
                body += part
                if len(body) > MOST_BYTES:
                    raise PrometheusError(
                        "too-much",
                        f"Prometheus answers more than {MOST_BYTES // 1_000_000} MB: choose a shorter time or fewer "
                        "agents, or let the query answer fewer series",
                    )
            return response.status_code, bytes(body)

    def _fault(self, status: int, kind: str, text: str) -> PrometheusError:
        text = text if len(text) <= 300 else f"{text[:300]}…"
        if status == 503 and not kind:
            return PrometheusError("restarting", f"Prometheus is starting or stopping (503 at {self._where()})")
        if kind in {"timeout", "canceled"}:
            return PrometheusError("slow", f"Prometheus gave the query up: {text}")
        if status == 422 and "too many samples" in text:
            return PrometheusError("too-much", f"Prometheus says the query is too big, choose a shorter time: {text}")
        if status in {400, 422} and kind:
            return PrometheusError("refused", f"Prometheus refuses the query: {text}")
        return self._odd(f"HTTP {status} {kind} {text}".strip())

    def _odd(self, what: str) -> PrometheusError:
        return PrometheusError("odd", f"{self._where()} does not answer as Prometheus does: {what}")

    def _where(self) -> str:
        """Name the address without a password that may stand in it."""
        parts = urlsplit(self.settings.prometheus_url)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
