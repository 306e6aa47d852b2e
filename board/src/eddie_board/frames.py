"""Station "frames": what Prometheus answered to one query, as columns with the names a legend shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One line of a panel.

    ``times`` are seconds since the epoch on the query's whole grid, one object for all series of a query; ``values``
    has as many entries, None where there is no sample, and may hold NaN and infinities where Prometheus said so.
    ``labels`` are as Prometheus gave them, ``__name__`` included.
    """

    ref: str
    name: str
    labels: Mapping[str, str]
    times: tuple[float, ...]
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """One annotation on a panel: ``start`` to ``end`` in seconds (equal: a point), its texts as they came (no markup).

    ``title`` is the annotation's titleFormat filled in, ``name`` the annotation's own name, ``colour`` as the
    dashboard wrote it (``rgba(…)``).
    """

    start: float
    end: float
    title: str
    text: str
    tags: tuple[str, ...]
    name: str
    colour: str
