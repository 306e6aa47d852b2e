"""Beside the data's way: what many want at once is done once, and what is kept has bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from eddie_board.once import Once


def counted(done: list[str], name: str) -> Callable[[], Awaitable[str]]:
    """Return work that notes ``name`` in ``done`` and answers it."""

    async def work() -> str:
        done.append(name)
        await asyncio.sleep(0)
        return name

    return work


async def test_a_late_asker_of_the_round_before_does_not_empty_the_next() -> None:
    """A slow page that still has the time of the last round shares what this one has."""
    done: list[str] = []
    once: Once[str] = Once(10)
    for round_ in (0, 15, 0, 15):
        await once.get(round_ + 1_000_000, "a", counted(done, f"{round_}"))
    assert done == ["0", "15"]


async def test_a_clock_set_back_does_not_freeze_the_page() -> None:
    """An hour back is a new round, not the present one for an hour."""
    done: list[str] = []
    once: Once[str] = Once(10)
    for round_ in (1_000_000, 996_400, 996_400):
        await once.get(round_, "a", counted(done, str(round_)))
    assert done == ["1000000", "996400"]


async def test_number_and_weight_are_bounded() -> None:
    """The oldest leave when there are too many, or when they weigh too much; the newest is always kept."""
    once: Once[str] = Once(3)
    heavy: Once[str] = Once(100, len, 10)
    for number in range(8):
        await once.get(1, number, counted([], "x"))
        await heavy.get(1, number, counted([], "xxxx"))
    assert (len(once), len(heavy)) == (3, 2)
    assert await heavy.get(1, 9, counted([], "x" * 50)) == "x" * 50
    await asyncio.sleep(0)
    assert len(heavy) == 1


async def test_a_failure_nobody_waited_for_warns_of_nothing() -> None:
    """The only viewer left before the failure: no "exception was never retrieved" in the log, and no leak."""
    once: Once[str] = Once(3)

    async def fails() -> str:
        await asyncio.sleep(0)
        raise ValueError("no")

    viewer = asyncio.create_task(once.get(1, "a", fails))
    await asyncio.sleep(0)
    viewer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await viewer
    with pytest.raises(ValueError, match="no"):
        await once.get(1, "a", fails)
