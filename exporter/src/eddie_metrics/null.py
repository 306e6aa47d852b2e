"""Station *event out*, switched off: records nothing, opens nothing, and cannot fail."""

from __future__ import annotations

from collections import deque
from typing import Any

from eddie_metrics.answers import Rejected
from eddie_metrics.client import Client


class NullClient(Client):
    """Takes whatever a ``Client`` takes, and forgets it; its scopes run their blocks and tell nobody."""

    # ruff: noqa: ARG002  (it takes what a Client takes)
    def __init__(self, url: str | None = None, *, agent_id: str | None = None, **settings: Any) -> None:
        # A Client's own beginning reads the environment and may warn of what nobody wants here.
        self.agent_id = agent_id or "nobody"

    @property
    def rejected(self) -> deque[Rejected]:
        """Nothing is refused."""
        return deque()

    @property
    def waiting(self) -> int:
        """Nothing waits."""
        return 0

    def dropped(self) -> dict[str, int]:
        """Answer that nothing is counted as lost: that is what was asked for."""
        return {}

    def flush(self, timeout: float = 10.0) -> bool:
        """Answer at once that nothing is left."""
        return True

    def close(self, timeout: float = 2.0) -> bool:
        """Answer at once that nothing is left."""
        return True

    def _record(self, kind: str, fields: Any, agent_id: str | None = None) -> None:
        """Forget an event."""
