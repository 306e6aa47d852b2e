"""Station "draw": numbers, colours and reducers are what Grafana makes of them."""

from __future__ import annotations

import math

import pytest

from eddie_board.draw.colours import FALLBACK, ink, of_series
from eddie_board.draw.reduce import extent, reduced
from eddie_board.draw.unit_names import unit
from eddie_board.draw.units import plain


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("short", 0, "0"),
        ("short", 999, "999"),
        ("short", 1000, "1 K"),
        ("short", 1234, "1.23 K"),
        ("short", 1.5e6, "1.50 Mil"),
        ("none", 1234567, "1234567"),
        ("percent", 12.345, "12.3%"),
        ("percentunit", 0.8512, "85.1%"),
        ("percentunit", 1, "100%"),
        ("bytes", 512 * 2**20, "512 MiB"),
        ("bytes", 1023, "1023 B"),
        ("kbytes", 2048, "2 MiB"),
        ("decbytes", 1e9, "1 GB"),
        ("Bps", 1500, "1.50 kB/s"),
        ("reqps", 1200, "1.20K req/s"),
        ("ops", 0.5, "0.500 ops/s"),
        ("s", 0, "0 s"),
        ("s", 0.5, "500 ms"),
        ("s", 61, "1.02 mins"),
        ("s", 60, "1 min"),
        ("ms", 1500, "1.50 s"),
        ("dthms", 3661, "01:01:01"),
        ("suffix:/min", 17.25, "17.3 /min"),
        ("suffix:", 2, "2"),
        ("prefix:~", 2, "~2"),
        ("currencyUSD", -1234, "-$1.23K"),
        ("bool_yes_no", 0, "No"),
        ("celsius", 21.5, "21.5 °C"),
        ("dateTimeAsIso", 1_700_000_000_000, "2023-11-14 22:13:20 UTC"),
        ("", 0.1 + 0.2, "0.300"),
    ],
)
def test_units(name: str, value: float, text: str) -> None:
    """A number in a unit reads as in Grafana."""
    assert unit(name).text(value) == text


def test_unknown_unit_is_shown() -> None:
    """A unit that nobody knows stands behind the number, and is not dropped."""
    assert unit("wombats").text(3) == "3 wombats"


def test_decimals() -> None:
    """Decimals that the panel names are kept to, noughts included."""
    assert [unit("short").text(3.14159, count) for count in (0, 1, 4)] == ["3", "3.1", "3.1416"]
    assert unit("percentunit").text(0.5, 1) == "50.0%"


@pytest.mark.parametrize(("value", "text"), [(None, ""), (math.nan, "NaN"), (math.inf, "∞"), (-math.inf, "-∞")])
def test_no_numbers(value: float | None, text: str) -> None:
    """What is no number is said as such in every unit."""
    assert {unit(name).text(value) for name in ("short", "bytes", "s", "suffix:x")} == {text}


def test_plain() -> None:
    """Very large and very small numbers are written as JavaScript writes them."""
    assert [plain(value) for value in (1e21, 1e20, 1e-7, 0.00001, 1.5, -0.0)] == [
        "1e+21", "100000000000000000000", "1e-7", "0.00001", "1.5", "0",
    ]  # fmt: skip


def test_named_colours() -> None:
    """A named colour has Grafana's shade for either ground; one that is written is taken as it is."""
    assert (ink("green").light, ink("green").dark) == ("#56A64B", "#73BF69")
    assert (ink("dark-red").light, ink("dark-red").dark) == ("#AD0317", "#C4162A")
    assert ink("#8e8e8e").option() == {"color": "#8e8e8e"}
    assert ink("rgba(150, 120, 210, 0.5)").light == "rgba(150, 120, 210, 0.5)"


@pytest.mark.parametrize("name", ['red"); alert(1); ("', "url(http://x)", "#12", "", None, 7, "rgb(<b>)"])
def test_no_colour(name: object) -> None:
    """What is no colour becomes grey, and reaches neither CSS nor an expression."""
    assert ink(name) == FALLBACK


def test_palette() -> None:
    """The n-th series has the n-th colour of the classic palette, which begins anew at its end."""
    assert of_series({"mode": "palette-classic"}, 1, "x", 0, FALLBACK) == ink("yellow")
    assert of_series({"mode": "palette-classic"}, 64, "x", 0, FALLBACK) == ink("green")


def test_continuous() -> None:
    """A colour between two is mixed of both, for either ground."""
    mode = {"mode": "continuous-BlPu"}
    assert of_series(mode, 0, "x", 0, FALLBACK).dark.upper() == ink("blue").dark
    assert of_series(mode, 0, "x", 2, FALLBACK).light.upper() == ink("purple").light


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("last", None),
        ("lastNotNull", 2),
        ("first", 4),
        ("min", 1),
        ("max", 4),
        ("mean", 7 / 3),
        ("sum", 7),
        ("range", 3),
    ],
)
def test_reducers(name: str, value: float | None) -> None:
    """Reducers count samples only; the plain last is empty where the newest sample is missing."""
    assert reduced(name, (4.0, 1.0, None, math.nan, 2.0, None)) == value


def test_nothing_to_reduce() -> None:
    """No sample gives no number, instead of nought."""
    assert [reduced(name, (None, None)) for name in ("mean", "sum", "max", "lastNotNull", "last")] == [None] * 5
    assert extent([(None, math.inf)]) == (0, 100)
