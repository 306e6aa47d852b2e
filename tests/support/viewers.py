"""Many who look at the board at once: each fetches the page and keeps its websocket open, as a browser does.

Fifty browsers would measure browsers. A viewer here speaks the page's own protocol (Socket.IO over a websocket) and
reads no more of it than it must: the same handshake, answers to pings, and an acknowledgement of what arrived, without
which the server would keep all that it sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import threading
import uuid
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import yaml
from tests.support.boards import Board
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from fleet.web import ask

ACKNOWLEDGED = 3.0
"""Seconds between two acknowledgements, as in the page's own script."""

PING, PONG, OPEN, EVENT = "2", "3", "40", "42"
"""Engine.IO's and Socket.IO's marks in front of a message."""


class Viewer:
    """One page that is open: how much arrived on it, in characters and in messages."""

    def __init__(self, board: Board, origin: str | None = None) -> None:
        """Take the board; ``origin`` is the site whose page opens the websocket, the board's own if not given."""
        self.board, self.origin = board, board.url if origin is None else origin
        self.messages, self.size = 0, 0
        self._next = 0
        self._id = ""
        self._socket: ClientConnection | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self, address: str) -> None:
        """Fetch the page and connect; raises websockets' InvalidHandshake where the board refuses."""
        answer = await asyncio.to_thread(ask, address, timeout=60.0)
        assert answer.status == 200, f"expected the page, got {answer.status}: {answer.text[:200]}"
        query = handshake(answer.text)
        self._id, self._next = query["client_id"], int(query["next_message_id"])
        ids = {"tab_id": str(uuid.uuid4()), "document_id": str(uuid.uuid4()), "old_tab_id": "null"}
        words = {key: str(value).lower() if isinstance(value, bool) else value for key, value in query.items()}
        where = self.board.url.replace("http", "ws", 1) + "/_nicegui_ws/socket.io/"
        self._socket = await connect(
            f"{where}?{urlencode({**words, **ids, 'EIO': '4', 'transport': 'websocket'})}",
            origin=Origin(self.origin),
            compression=None,
            max_size=None,
            ping_interval=None,
            proxy=None,
        )
        await self._socket.recv()
        await self._socket.send(OPEN)
        said = await self._socket.recv()
        assert str(said).startswith(OPEN), f"expected to be let in, got {said!r}"
        self._tasks = [asyncio.create_task(self._read(self._socket)), asyncio.create_task(self._tell(self._socket))]

    async def close(self) -> None:
        """Close the page."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._socket is not None:
            await self._socket.close()

    async def _read(self, socket: ClientConnection) -> None:
        async for message in socket:
            text = str(message)
            if text == PING:
                await socket.send(PONG)
            elif text.startswith(EVENT):
                self.messages += 1
                self.size += len(text)
                found = re.findall(r'"_id":(\d+)', text[:200] + text[-200:])
                self._next = max([self._next, *(int(number) + 1 for number in found)])

    async def _tell(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(ACKNOWLEDGED)
                told = {"client_id": self._id, "next_message_id": self._next}
                await socket.send(EVENT + json.dumps(["ack", told]))


def handshake(page: str) -> dict[str, Any]:
    """Return what the page's script would send to the websocket."""
    found = re.search(r"query: (\{[^}]*\})", page)
    assert found, f"expected the page's script to name its query, got {page[:500]}"
    query: dict[str, Any] = yaml.safe_load(found[1])  # a literal of JavaScript, with keys in single quotes
    return query


class Loop:
    """An event loop in a thread of its own, so that viewers live while a test does something else."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Any], within: float = 120) -> Any:
        """Run one coroutine there and answer what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(within)

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@contextmanager
def looking_on(board: Board, count: int, **address: Any) -> Iterator[list[Viewer]]:
    """Keep ``count`` pages of the board's dashboard open until the block is left."""
    loop = Loop()
    viewers = [Viewer(board) for _ in range(count)]

    async def all_open() -> None:
        for viewer in viewers:  # one after the other: nobody opens fifty pages in one moment
            await viewer.open(board.page(**address))

    async def all_closed() -> None:
        await asyncio.gather(*(viewer.close() for viewer in viewers))

    try:
        loop.run(all_open(), within=300)
        yield viewers
    finally:
        loop.run(all_closed())
        loop.close()
