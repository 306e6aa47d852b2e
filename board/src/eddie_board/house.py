"""Station *page*: what all open pages share, and the one clock that has them refreshed."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Protocol

from eddie_board.chain import Chain
from eddie_board.drawn import Drawings
from eddie_board.settings import Settings
from eddie_board.shared import Board
from eddie_board.webpage import QueryLinks

LAG = 0.5
"""Seconds after the end of a scrape interval: by then Prometheus has the samples of it."""


class Viewer(Protocol):
    """An open page."""

    def beat(self, now: float) -> None:
        """Begin a refresh if one is due at ``now`` (seconds since the epoch) and somebody looks."""


@dataclass(slots=True)
class House:
    """One for the whole program. A page enters ``viewers`` when it is made and leaves when its reader has left."""

    settings: Settings
    board: Board
    drawings: Drawings
    chain: Chain
    links: QueryLinks
    viewers: set[Viewer] = field(default_factory=set)

    async def beat(self) -> None:
        """Wake the viewers after each scrape interval, until cancelled: the answers they share change then."""
        interval = self.settings.board_scrape_seconds
        while True:
            await asyncio.sleep(interval - time.time() % interval + LAG)
            # Here, because nobody else does where nobody looks.
            self.board.turn()
            self.drawings.turn()
            await self._wake(time.time())  # one time for all: who is due is due with the others

    async def _wake(self, now: float) -> None:
        # Of its own, so that nothing of the last page is held while the clock sleeps.
        for viewer in tuple(self.viewers):
            viewer.beat(now)
            # One after the other: what the first has drawn the others only send.
            await asyncio.sleep(0)
