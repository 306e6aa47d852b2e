"""Station "draw": what a panel becomes, as data: the page makes elements of it, and every text in it is plain text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from eddie_board.draw.colours import Ink


@dataclass(frozen=True, slots=True)
class LegendRow:
    """One series in a legend.

    ``key`` is the name the chart knows it by (`dispatchAction` with legendToggleSelect): ``name``, made different by
    characters of no width where two series are called the same. ``texts`` and ``numbers`` go with the legend's columns,
    the first written in the series' unit. ``right`` says that it is read on the right axis; ``line`` how it is drawn.
    """

    key: str
    name: str
    ink: Ink
    line: Literal["solid", "dash", "dot"] = "solid"
    right: bool = False
    texts: tuple[str, ...] = ()
    numbers: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """A picture for ECharts: ``options`` as they are given to it, one object for all who look; never change it.

    Keys that begin with a colon hold JavaScript for NiceGUI: a call of a function of draw.js, which the page must have
    loaded before (`SCRIPT`). The chart draws no legend: ``legend`` is for the page, in order, with ``columns`` as the
    titles of the numbers, shown as ``legend_mode`` at ``legend_placement`` (bottom or right). ``empty`` is the panel's
    own sentence for no data, ``notes`` say what of the panel is not drawn.

    The numbers of the n-th legend row's series are in ``options["dataset"][d]["source"]``, a list of rows: d is the
    series' datasetIndex, the row its encode.y, the times (in ms) row 0.
    """

    kind: str
    options: dict[str, Any]
    legend: tuple[LegendRow, ...] = ()
    columns: tuple[str, ...] = ()
    legend_mode: Literal["list", "table", "hidden"] = "list"
    legend_placement: Literal["bottom", "right"] = "bottom"
    empty: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """One big value: ``name`` and ``text`` as shown (either may be empty), ``value`` the number behind it.

    ``fill`` says that the colour is the ground and not the letters; ``spark`` is a small chart's options or None.
    """

    name: str
    text: str
    value: float | None
    ink: Ink
    fill: bool = False
    spark: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Tiles:
    """A stat panel's tiles, in order, side by side or (``upright`` false) one below the other."""

    items: tuple[Tile, ...]
    upright: bool = False
    empty: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text, the number to sort by (None: by text), and its colour where the panel gives one."""

    text: str
    number: float | None = None
    ink: Ink | None = None
    fill: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table panel: titles, whether each column is of numbers, and the rows."""

    titles: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unknown:
    """A type of panel this page cannot draw: it is said, with its name."""

    type: str
    notes: tuple[str, ...] = field(default=())


Drawing = Chart | Tiles | Table | Unknown
