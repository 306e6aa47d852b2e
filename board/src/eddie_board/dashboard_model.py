"""Station "dashboard", its shapes: what this page knows of a dashboard, its panels and its variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One panel; ``x``, ``y``, ``w``, ``h`` in Grafana's grid of 24 columns, rows and their panels flattened into it.

    ``targets``, ``field_config`` and ``options`` are as in the file. ``dashboard`` is the uid of the dashboard it
    belongs to, ``digest`` changes with that file. A row has the type ``row`` and only a title.
    """

    id: int
    title: str
    description: str
    type: str
    x: int
    y: int
    w: int
    h: int
    targets: tuple[Mapping[str, Any], ...]
    field_config: Mapping[str, Any]
    options: Mapping[str, Any]
    raw: Mapping[str, Any]
    dashboard: str
    digest: str


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """One variable: ``kind`` is Grafana's (query, custom, datasource, …), ``hide`` true where no picker is shown.

    ``default`` is what the dashboard opens with, ``("$__all",)`` for all, nothing where the file names none; ``query``
    as written in the file.
    """

    name: str
    label: str
    description: str
    kind: str
    query: str
    multi: bool
    include_all: bool
    all_value: str
    default: tuple[str, ...]
    hide: bool
    sort: int
    raw: Mapping[str, Any]

    @property
    def choosable(self) -> bool:
        """Say whether a reader can choose: free text is not taken, for no PromQL comes from a browser."""
        return self.kind in {"query", "custom", "interval"}


@dataclass(frozen=True, slots=True, eq=False)
class Annotation:
    """Events that are drawn on panels: ``panels`` it is meant for, or not meant for where ``exclude``; empty is all."""

    name: str
    expression: str
    interval: str
    colour: str
    title_format: str
    text_format: str
    tag_keys: tuple[str, ...]
    panels: tuple[int, ...]
    exclude: bool

    def on(self, panel: int) -> bool:
        """Say whether it is drawn on the panel with this id."""
        return not self.panels or (panel in self.panels) != self.exclude


@dataclass(frozen=True, slots=True, eq=False)
class Dashboard:
    """One dashboard; ``time_from`` and ``time_to`` as Grafana writes them (``now-6h``), ``refresh`` such as ``30s``.

    ``variables`` holds all, the data source too; ``notes`` say what of the file this page cannot use.
    """

    uid: str
    title: str
    description: str
    panels: tuple[Panel, ...]
    variables: tuple[Variable, ...]
    annotations: tuple[Annotation, ...]
    time_from: str
    time_to: str
    refresh: str
    raw: Mapping[str, Any]
    digest: str
    notes: tuple[str, ...] = ()

    def panel(self, number: int) -> Panel | None:
        """Answer the panel with this id, or None."""
        return next((each for each in self.panels if each.id == number), None)
