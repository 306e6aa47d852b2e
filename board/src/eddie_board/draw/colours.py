"""Station "draw": the colours a dashboard names, as Grafana shows them on light and on dark ground.

The tables are Grafana 12.2's own (packages/grafana-data/src/themes/createVisualizationColors.ts). A colour of a
dashboard is checked here, for it goes on into CSS and into an expression the browser evaluates.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_SHADES = ("super-light-", "light-", "", "semi-dark-", "dark-")
_DARK = {
    "red": "#FFA6B0 #FF7383 #F2495C #E02F44 #C4162A",
    "orange": "#FFCB7D #FFB357 #FF9830 #FF780A #FA6400",
    "yellow": "#FFF899 #FFEE52 #FADE2A #F2CC0C #E0B400",
    "green": "#C8F2C2 #96D98D #73BF69 #56A64B #37872D",
    "blue": "#C0D8FF #8AB8FF #5794F2 #3274D9 #1F60C4",
    "purple": "#DEB6F2 #CA95E5 #B877D9 #A352CC #8F3BB8",
}
_DARKEST = {
    "red": "#AD0317",
    "orange": "#E55400",
    "yellow": "#CC9D00",
    "green": "#19730E",
    "blue": "#1250B0",
    "purple": "#7C2EA3",
}
"""On light ground each shade is the next darker one, and these end the row."""

_PALETTE = """
    green yellow blue orange red purple dark-green dark-yellow dark-blue dark-orange dark-red dark-purple
    super-light-green super-light-yellow super-light-blue super-light-orange super-light-red super-light-purple
    #447EBC #C15C17 #890F02 #0A437C #6D1F62 #584477 #B7DBAB #F4D598 #70DBED #F9BA8F #F29191 #82B5D8 #E5A8E2 #AEA2E0
    #629E51 #E5AC0E #64B0C8 #E0752D #BF1B00 #0A50A1 #962D82 #614D93 #9AC48A #F2C96D #65C5DB #F9934E #EA6460 #5195CE
    #D683CE #806EB7 #3F6833 #967302 #2F575E #99440A #58140C #052B51 #511749 #3F2B5B #E0F9D7 #FCEACA #CFFAFF #F9E2D2
    #FCE2DE #BADFF4 #F9D9F9 #DEDAF7
"""
PALETTE = tuple(_PALETTE.split())
"""The classic palette: the n-th series of a panel has the n-th colour."""

CONTINUOUS = {
    "continuous-GrYlRd": ("green", "yellow", "red"),
    "continuous-RdYlGr": ("red", "yellow", "green"),
    "continuous-BlYlRd": ("dark-blue", "super-light-yellow", "dark-red"),
    "continuous-YlRd": ("super-light-yellow", "dark-red"),
    "continuous-BlPu": ("blue", "purple"),
    "continuous-YlBl": ("super-light-yellow", "dark-blue"),
    "continuous-blues": ("panel-bg", "dark-blue"),
    "continuous-reds": ("panel-bg", "dark-red"),
    "continuous-greens": ("panel-bg", "dark-green"),
    "continuous-purples": ("panel-bg", "dark-purple"),
}
"""Colour modes that go from one colour to the next with the value."""

_WRITTEN = re.compile(
    r"#(?:[0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})|(?:rgb|hsl)a?\([0-9.,%/ deg]{1,60}\)|[a-zA-Z]{3,20}"
)


@dataclass(frozen=True, slots=True)
class Ink:
    """One colour as CSS writes it, on ``light`` ground and on ``dark`` ground."""

    light: str
    dark: str

    def option(self, key: str = "color") -> dict[str, str]:
        """Give the entry of a chart's option that paints with this colour.

        Where both grounds differ it is an expression, which the browser evaluates for the ground it shows: so viewers
        of either share one option.
        """
        if self.light == self.dark:
            return {key: self.light}
        return {f":{key}": f'eddieDraw.pick("{self.light}", "{self.dark}")'}


def _named() -> dict[str, Ink]:
    inks = {}
    for hue, row in _DARK.items():
        dark = row.split()
        for shade, on_dark, on_light in zip(_SHADES, dark, [*dark[1:], _DARKEST[hue]], strict=True):
            inks[shade + hue] = Ink(on_light, on_dark)
    return inks


NAMED: Mapping[str, Ink] = {
    **_named(),
    "transparent": Ink("rgba(255,255,255,0)", "rgba(0,0,0,0)"),
    "text": Ink("#24292e", "#ccccdc"),
    "panel-bg": Ink("#ffffff", "#181b1f"),
}
"""The names Grafana gives a meaning of its own; CSS's other names are left to the browser."""

TEXT = NAMED["text"]
GRID = Ink("rgba(0,10,23,0.09)", "rgba(240,250,255,0.09)")
CROSS = Ink("rgba(36,41,46,0.5)", "rgba(204,204,220,0.5)")
FALLBACK = Ink("#808080", "#808080")


def ink(name: object) -> Ink:
    """Give the colour a dashboard writes as ``name``; grey for what is no colour."""
    text = str(name or "").strip()
    if text in NAMED:
        return NAMED[text]
    return Ink(text, text) if _WRITTEN.fullmatch(text) else FALLBACK


def of_series(mode: Mapping[str, Any], index: int, name: str, at: float, active: Ink) -> Ink:
    """Give the colour of the ``index``-th series: ``at`` is where its value lies from min (0) to max (1).

    ``active`` is the colour of the threshold its value has reached; ``mode`` is the field's ``color`` object.
    """
    kind = mode.get("mode") or "thresholds"
    if kind in ("fixed", "shades"):
        return ink(mode.get("fixedColor") or "gray")
    if kind == "palette-classic":
        return ink(PALETTE[index % len(PALETTE)])
    if kind == "palette-classic-by-name":
        return ink(PALETTE[_hash(name) % len(PALETTE)])
    if kind in CONTINUOUS:
        return mixed([ink(each) for each in CONTINUOUS[kind]], at)
    return active


def mixed(inks: Sequence[Ink], at: float) -> Ink:
    """Mix ``inks`` in a row: the first at 0, the last at 1."""
    place = min(max(at, 0.0), 1.0) * (len(inks) - 1)
    left = min(int(place), len(inks) - 2)
    first, second, share = inks[left], inks[left + 1], place - left
    return Ink(_between(first.light, second.light, share), _between(first.dark, second.dark, share))


def _between(first: str, second: str, share: float) -> str:
    pairs = ((int(first[at : at + 2], 16), int(second[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(left + (right - left) * share):02x}" for left, right in pairs)


def _hash(name: str) -> int:
    # The hash Grafana takes of a name (npm's string-hash), in 32 bits without sign.
    value = 5381
    units = name.encode("utf-16-le", "surrogatepass")
    for at in range(len(units) - 2, -2, -2):
        value = ((value * 33) ^ int.from_bytes(units[at : at + 2], "little")) & 0xFFFFFFFF
    return value
