"""Beside the data's way: where a reader goes on with a query: Prometheus's own page, or its API's answer.

Debian builds Prometheus without a web page; a link to it would end at "not found". So it is tried, and tried again,
because a Prometheus that comes back may be another one.
"""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlencode

import httpx

from eddie_board.queries import Query

AGAIN = 30.0
"""Seconds after which the page is looked for again."""


class QueryLinks:
    """Links for people. ``asked`` is where this program reaches Prometheus, ``public`` where people do."""

    def __init__(self, client: httpx.AsyncClient, asked: str, public: str) -> None:
        self._client = client
        self._asked = asked.rstrip("/")
        self._public = public.rstrip("/")
        self.page = False

    async def keep(self) -> None:
        """Look for the page again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(AGAIN)

    async def look(self) -> None:
        """See whether there is a page; leaves it as it was where nobody answers."""
        try:
            answer = await self._client.get(f"{self._asked}/graph", follow_redirects=True)
        except httpx.HTTPError:
            return
        self.page = answer.status_code == 200 and "html" in answer.headers.get("content-type", "")

    def of(self, query: Query) -> str:
        """Answer the address that shows ``query`` over its range."""
        if self.page:
            end = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(query.end))
            asked = {
                "g0.expr": query.expression,
                "g0.tab": "0",
                "g0.range_input": f"{round(query.end - query.start)}s",
                "g0.end_input": end,
                "g0.step_input": f"{query.step:g}",
            }
            return f"{self._public}/graph?{urlencode(asked)}"
        asked = {
            "query": query.expression,
            "start": f"{query.start:.3f}",
            "end": f"{query.end:.3f}",
            "step": f"{query.step:g}",
        }
        return f"{self._public}/api/v1/query_range?{urlencode(asked)}"
