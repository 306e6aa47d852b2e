"""The bench's one table: what was measured, ours, the peer's, their ratio, and the goal where there is one."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Literal

_HOLDS = {">=": operator.ge, "<=": operator.le}


@dataclass(frozen=True)
class Goal:
    """What a row should reach: the ratio, or our own number."""

    sense: Literal[">=", "<="]
    value: float
    of: Literal["ratio", "ours"] = "ratio"

    def words(self, ours: float, ratio: float) -> str:
        """Say the goal, and whether it was hit; when it was missed, by how much."""
        got = ratio if self.of == "ratio" else ours
        hit = _HOLDS[self.sense](got, self.value)
        missed = f"MISSED, {got / self.value:.2f} of it"
        return f"{self.of} {self.sense} {self.value:,g}: {'hit' if hit else missed}"


def head() -> None:
    """Print the line above the rows."""
    print(f"{'what':<52} {'ours':>12} {'peer':>12} {'ratio':>7}  {'goal':<34} peer")


def row(
    name: str,
    ours: float,
    peer: float | None = None,
    peer_name: str = "",
    *,
    ratio: float | None = None,
    goal: Goal | None = None,
) -> None:
    """Print one row.

    The ratio is ours / peer unless it was measured otherwise, as the median of several; without a peer there is none.
    """
    quotient = ratio if ratio is not None else ours / peer if peer else float("nan")
    left = f"{name:<52} {ours:>12,.1f} {'' if peer is None else format(peer, '>12,.1f'):>12}"
    told = "" if peer is None else f"{quotient:.2f}"
    print(f"{left} {told:>7}  {goal.words(ours, quotient) if goal else '':<34} {peer_name}", flush=True)
