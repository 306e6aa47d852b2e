"""A way to run a stack that starts nothing: for tests of what is asked of it, and what is said of its answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from stack.model import Context, ServiceRow


@dataclass
class Way:
    """Remembers what it was asked, and answers an exporter in each of `states`, then `rows`."""

    states: list[str] = field(default_factory=list)
    rows: list[ServiceRow] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """Starts, in their order."""
    downs: list[Path] = field(default_factory=list)
    """Whose end was asked."""

    def up(self, ctx: Context) -> None:  # noqa: ARG002 - every Way is asked so
        """Remember the stack's start."""
        self.asked.append("up")

    def board(self, ctx: Context) -> None:  # noqa: ARG002
        """Remember the board's start."""
        self.asked.append("board")

    def down(self, ctx: Context) -> None:
        """Remember whose end was asked."""
        self.downs.append(ctx.run)

    def status(self, ctx: Context) -> list[ServiceRow]:  # noqa: ARG002
        """Answer the states and rows it was made with."""
        return [*(ServiceRow("exporter", "", state) for state in self.states), *self.rows]

    def logs(self, ctx: Context, names: list[str]) -> None:
        """Show nothing."""

    def last_words(self, ctx: Context, name: str) -> list[str]:  # noqa: ARG002
        """Answer a line that names who spoke."""
        return [f"{name} spoke"]

    def holds_data(self, ctx: Context) -> bool:  # noqa: ARG002
        """Hold nothing."""
        return False
