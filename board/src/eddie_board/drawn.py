"""Station *draw*, its end: each picture is written as JSON once, and all who look at it get the same bytes."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import fields
from typing import Any

import orjson

from eddie_board.dashboard import Panel
from eddie_board.draw.model import Drawing
from eddie_board.queries import Query, Window
from eddie_board.shared import Answer

MOST = 128
"""Pictures kept: a dozen panels in ten views. Each is some hundred kilobytes; the one not asked for longest goes."""


KEPT = 90.0
"""Seconds a picture is kept after it was shown: three refreshes; the answers it is of are over then."""


class Drawings:
    """The pictures that were drawn last, by the answer they are of: an answer never changes.

    ``draws`` makes a picture, ``link`` the address at which people go on with a query.
    """

    def __init__(
        self, draws: Callable[[Panel, Answer, Window], Drawing], link: Callable[[Query], str], most: int = MOST
    ) -> None:
        self._draws = draws
        self._link = link
        self._most = most
        self._kept: OrderedDict[Hashable, tuple[Answer, Panel, orjson.Fragment, float]] = OrderedDict()

    def of(self, panel: Panel, answer: Answer) -> orjson.Fragment:
        """Answer the picture of ``answer``, written; the same object each time it is asked for.

        A fragment goes into every viewer's message as it stands: it is neither encoded again nor looked through.
        """
        # By what is drawn: a picture that is kept while Prometheus is away is another answer with the same series.
        parts = (panel, answer.series, answer.marks, answer.queries)
        key = (*map(id, parts), answer.notes)
        now = time.monotonic()
        if known := self._kept.pop(key, None):
            self._kept[key] = (*known[:3], now)
            return known[2]
        written = orjson.Fragment(orjson.dumps(self._picture(panel, answer), option=orjson.OPT_NON_STR_KEYS))
        # Both are kept with it: while they live nothing else can have the ids of their parts.
        self._kept[key] = (answer, panel, written, now)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return written

    def turn(self) -> None:
        """Let go the pictures that nobody has looked at for a while."""
        now = time.monotonic()
        while self._kept and now - next(iter(self._kept.values()))[3] > KEPT:
            self._kept.popitem(last=False)

    def _picture(self, panel: Panel, answer: Answer) -> dict[str, Any]:
        picture = self._draws(panel, answer, answer.window)
        return {
            **{field.name: getattr(picture, field.name) for field in fields(picture)},
            "is": type(picture).__name__.lower(),
            "queries": [
                {"ref": each.ref, "expression": each.expression, "step": each.step, "link": self._link(each)}
                for each in answer.queries
            ],
            "left_out": answer.notes,
        }
