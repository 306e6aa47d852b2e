"""Beside *event out*: keeps events for an agent's own tests, and raises where the real client would drop and log."""

from __future__ import annotations

import json
import time
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from eddie_metrics.client import Client
from eddie_metrics.encoding import encode
from eddie_metrics.errors import InvalidEventError
from eddie_metrics.events import KINDS
from eddie_metrics.null import NullClient
from eddie_metrics.singleton import answering


class CapturingClient(NullClient):
    """Holds each event as the exporter would see it, in ``events``: a dict with its ``kind``, oldest first.

    Raises InvalidEventError for an event that breaks the contract, out of ``record_*`` and out of scopes; only where
    the agent's own exception leaves a scope that one goes on, and the mistake stands in ``invalid`` alone.
    ``ts`` is there where the agent gave one. Takes a ``Client``'s arguments and needs none of them.
    """

    strict: ClassVar[bool] = True

    def __init__(self, url: str | None = None, *, agent_id: str | None = None, **settings: Any) -> None:
        super().__init__(url, agent_id=agent_id or "agent", **settings)
        self.events: list[dict[str, Any]] = []
        self.invalid: list[InvalidEventError] = []

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Answer the events of a kind, ``task-finished`` for one. Raises ValueError for a kind that there is not."""
        if kind not in KINDS:
            raise ValueError(f"expected one of {', '.join(KINDS)}, got {kind!r}")
        return [event for event in list(self.events) if event["kind"] == kind]

    def clear(self) -> None:
        """Forget what was recorded."""
        self.events.clear()
        self.invalid.clear()

    def installed(self) -> AbstractContextManager[Client]:
        """Be what ``get_client()`` answers, in a ``with`` block."""
        return answering(self)

    def _record(self, kind: str, fields: Any, agent_id: str | None = None) -> None:
        try:
            event: dict[str, Any] = json.loads(encode(kind, fields, time.time(), agent_id))
        except InvalidEventError as error:
            self.invalid.append(error)
            raise
        if fields.get("ts") is None:
            event.pop("ts", None)
        self.events.append(event)
