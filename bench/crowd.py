"""Many viewers of the board in a process of their own, so that what they cost is not counted as somebody else's."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event

from tests.support.boards import Board
from tests.support.viewers import looking_on


def _look(board: Board, count: int, there: Event, enough: Event) -> None:
    os.nice(10)  # readers sit at machines of their own: theirs is not the work that is measured
    with looking_on(board, count, start="now-6h"):
        there.set()
        enough.wait()


@contextmanager
def crowd(board: Board, count: int) -> Iterator[None]:
    """Keep ``count`` pages open until the block is left; of none, do nothing."""
    if not count:
        yield
        return
    context = multiprocessing.get_context("fork")
    there, enough = context.Event(), context.Event()
    process = context.Process(target=_look, args=(board, count, there, enough), daemon=True)
    process.start()
    try:
        if not there.wait(120):
            raise RuntimeError(f"expected {count} viewers within 120 s: see {board.engine.log}")
        yield
    finally:
        enough.set()
        process.join(30)
