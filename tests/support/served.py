"""An ASGI app behind the exporter's own server, in this process, and plain sockets to talk to it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp
from tests.support.exporters import app_with

from eddie_exporter.server import Server, server
from eddie_exporter.settings import Settings


@dataclass
class Link:
    """One connection; ``reader`` and ``writer`` are asyncio's."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *parts: bytes) -> None:
        """Write each part by itself."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    async def answer(self, within: float = 5) -> tuple[int, bytes]:
        """Read one answer with a length; answer status and body."""
        async with asyncio.timeout(within):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.partition(b":")[2])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length:")
            )
            return int(head.split(b" ", 2)[1]), await self.reader.readexactly(length)

    def pause(self) -> None:
        """Read nothing more."""
        self.writer.transport.pause_reading()  # type: ignore[attr-defined]

    async def some(self, within: float) -> bytes:
        """Answer what comes next; nothing at the end of the connection."""
        async with asyncio.timeout(within):
            return await self.reader.read(65_536)

    async def ended(self, within: float = 5) -> bytes:
        """Answer what came before the end of the connection; a TimeoutError says that it did not end."""
        async with asyncio.timeout(within):
            with contextlib.suppress(ConnectionError):
                return await self.reader.read()
            return b""


@dataclass
class Served:
    """A server that runs, and the port it listens on."""

    server: Server
    port: int

    @contextlib.asynccontextmanager
    async def link(self) -> AsyncIterator[Link]:
        """Open a connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**26)
        try:
            yield Link(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def served(app: ASGIApp | None = None, **settings: Any) -> AsyncIterator[Served]:
    """Serve ``app``, or an exporter, with these settings until the block is left."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    chosen = app_with(**settings) if app is None else app
    running = server(chosen, listener, Settings(**{"docker": False, **settings}))  # type: ignore[arg-type]
    task = asyncio.create_task(running.serve())
    try:
        yield Served(running, listener.getsockname()[1])
    finally:
        running.should_exit = True
        await task
