"""The driver's HTTP: one kept connection a sender, small enough for hundreds of them in one thread."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """What one try sends."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What one try was answered."""

    status: int
    body: bytes
    retry_after: float | None = None

    def json(self) -> dict[str, Any]:
        """Answer the body's object. Raises ValueError when it is none."""
        found = json.loads(self.body)
        if not isinstance(found, dict):
            raise TypeError(f"expected an object, got {found!r}")
        return found


class Link:
    """A connection that is opened when it is needed; whatever goes wrong on the way is an OSError."""

    def __init__(self, host: str, port: int, timeout: float = 5.0) -> None:
        """``timeout``: seconds a whole request may take, its answer included."""
        self._place = (host, port)
        self._timeout = timeout
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, request: Request) -> Reply:
        """Post, and answer the reply. Raises OSError when none came whole: nobody knows then what became of it."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchange(request)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
            self.close()
            raise ConnectionError("expected a whole reply, got its beginning") from error
        except (OSError, asyncio.CancelledError):
            self.close()
            raise

    async def _exchange(self, request: Request) -> Reply:
        if self._streams is None or self._streams[1].is_closing():
            self.close()
            self._streams = await asyncio.open_connection(*self._place)
        reader, writer = self._streams
        lines = [f"{name}: {value}\r\n" for name, value in request.headers.items()]
        head = f"POST {request.path} HTTP/1.1\r\nhost: exporter\r\ncontent-length: {len(request.body)}\r\n"
        writer.write(head.encode() + "".join(lines).encode() + b"\r\n" + request.body)
        status, *fields = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        named = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        body = await reader.readexactly(int(named["content-length"])) if "content-length" in named else b""
        if "close" in named.get("connection", ""):
            self.close()
        again = named.get("retry-after")
        return Reply(int(status.split(" ", 2)[1]), body, float(again) if again else None)

    def close(self) -> None:
        """End the connection at once; the next try opens another."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None
