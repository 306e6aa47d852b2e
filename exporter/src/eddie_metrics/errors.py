"""What can go wrong on the agent's side; none of it is raised into an agent that records."""

from __future__ import annotations

from dataclasses import dataclass


class ClientError(Exception):
    """Something the agent's side cannot do, and says why; catch this to catch them all."""


@dataclass
class InvalidEventError(ClientError):
    """An event breaks the contract: mend ``field`` where it is recorded; the event was dropped and counted."""

    kind: str
    field: str
    expected: str
    got: str

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.kind}: {self.field}: expected {self.expected}, got {self.got}"


class ClientSettingsError(ClientError):
    """The client cannot work with these settings: mend what the message names; until then events are dropped."""
