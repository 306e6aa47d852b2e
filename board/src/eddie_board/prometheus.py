"""Station "prometheus": questions to Prometheus's HTTP API, with a time-out, and its faults as sentences."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from eddie_board.frames import Series
from eddie_board.queries import Query
from eddie_board.settings import Settings


@dataclass(slots=True)
class Prometheus:
    """One Prometheus; every method raises PrometheusError with a sentence that names who and what."""

    settings: Settings
    client: httpx.AsyncClient

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Make one with a client of its own; leave it with ``async with``, or aclose()."""
        raise NotImplementedError

    async def get(self, path: str, **parameters: str | float) -> Any:
        """Ask /api/v1/``path``; answer the ``data`` of it."""
        raise NotImplementedError

    async def query_range(self, query: Query) -> tuple[Series, ...]:
        """Ask for ``query`` over its range, in columns on the whole grid."""
        raise NotImplementedError

    async def query(self, expression: str, at: float) -> list[tuple[dict[str, str], float]]:
        """Ask for an instant vector (or scalar) at ``at`` seconds: labels and value of each series."""
        raise NotImplementedError

    async def label_values(self, label: str, match: str, start: float, end: float) -> tuple[str, ...]:
        """Ask for the values of ``label`` on the series of ``match`` (empty: all) between two times in seconds."""
        raise NotImplementedError

    async def retention(self) -> float:
        """Ask how many seconds Prometheus keeps; infinity where it keeps by size alone."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Let the connections go."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
