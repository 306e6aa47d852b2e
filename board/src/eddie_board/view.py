"""Station "view": the address of the page, as Grafana writes it, read as what somebody wants to see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from eddie_board.dashboard import Dashboard
from eddie_board.queries import Window

ALL = "$__all"
"""What an address and a choice say for all values of a variable."""


@dataclass(frozen=True, slots=True)
class View:
    """What one page shows: time as written (``now-6h``), choices by variable, and the panel that is shown alone.

    ``choices`` has every variable that a reader can choose, ``("$__all",)`` for all. ``notes`` are sentences for the
    page about what the address asked for in vain.
    """

    start_text: str
    end_text: str
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    panel: int | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def read(cls, parameters: Sequence[tuple[str, str]], dashboard: Dashboard) -> View:
        """Read the address's parameters in their order; what is bad becomes the dashboard's default and a note."""
        raise NotImplementedError

    def parameters(self, dashboard: Dashboard) -> list[tuple[str, str]]:
        """Write the address's parameters: from, to, var-… and viewPanel; read() of them is this view again."""
        raise NotImplementedError

    def window(self, now: float) -> Window:
        """Answer start and end in seconds when it is ``now``; never shorter than a minute."""
        raise NotImplementedError
