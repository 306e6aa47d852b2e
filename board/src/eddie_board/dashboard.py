"""Station "dashboard": the JSON that Grafana is provisioned with, read as what this page draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
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

    ``default`` is what the dashboard opens with, ``("$__all",)`` for all; ``query`` as written in the file.
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


@dataclass(slots=True)
class Dashboards:
    """All dashboards of some folders; files are read again when they changed, so nobody has to start anew."""

    folders: tuple[Path, ...]
    faults: dict[str, str] = field(default_factory=dict)
    """File name to the sentence that says why it cannot be shown; renewed by every look."""

    def all(self) -> tuple[Dashboard, ...]:
        """Answer all that can be read, in the order of their titles."""
        raise NotImplementedError

    def get(self, uid: str) -> Dashboard | None:
        """Answer the dashboard with this uid, or None."""
        return next((each for each in self.all() if each.uid == uid), None)
