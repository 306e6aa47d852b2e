"""What the two ways to run a stack have in common: the place it lives in, its table's lines, what each can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


class StackError(Exception):
    """A stack could not do what was asked; the message says what was expected, what was got and what to do.

    The command line prints it and exits with `code` (1 in general, 2 for a wrong call).
    """

    def __init__(self, message: str, *, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """One line of the table that `up` and `status` print."""

    name: str
    """Service name, the same in both modes: exporter, prometheus, alertmanager, grafana, board, docker-proxy."""
    address: str
    """Where a person opens it (`http://127.0.0.1:8503`), or empty when it is published nowhere."""
    state: str
    """`ready`, `starting`, `unready`, `stopped` or `left out`; only `ready` and `left out` are as they should be."""
    version: str = ""
    """The program's own version, as far as it is known."""
    note: str = ""
    """One short sentence: why it is left out, what is wrong, where it came from."""


@dataclass(frozen=True, slots=True)
class Context:
    """One stack: the person's own, or a throw-away one of `demo`; settings are read before, once."""

    root: Path
    """The checkout."""
    env: dict[str, str]
    """Settings: `.env` with the caller's environment over it, and the defaults of every stack key."""
    run: Path
    """State of this stack: `.run`, or the demo's throw-away directory."""
    secrets: Path
    """Secrets of this stack: `secrets`, or a folder inside the demo's throw-away directory."""
    ports: dict[str, int]
    """By service: exporter (on `EDDIE_BIND`), prometheus, alertmanager, grafana, board (on 127.0.0.1)."""
    say: Callable[[str], None] = field(default=print)
    """Tells the person one line."""
    project: str = "eddie"
    """Compose project name; also names the native supervisor's own resources."""


class Way(Protocol):
    """One way to run a stack; the modules `compose` and `native` are one each."""

    def up(self, ctx: Context) -> None:
        """Start what does not run, return when all is ready; on a running stack change nothing. Raises StackError."""

    def board(self, ctx: Context) -> None:
        """Start the board beside a stack that runs; one that runs already is left as it is. Raises StackError."""

    def down(self, ctx: Context) -> None:
        """Leave no process, container, network or port; keep data, programs, secrets."""

    def status(self, ctx: Context) -> list[ServiceRow]:
        """Answer a row for each service, also when nothing runs."""

    def logs(self, ctx: Context, names: list[str]) -> None:
        """Show logs of the named services, of all when none is named."""

    def last_words(self, ctx: Context, name: str) -> list[str]:
        """Answer the last lines a service has logged, each once: what restarts says the same again and again."""

    def holds_data(self, ctx: Context) -> bool:
        """Say whether something was stored that `down` kept."""
