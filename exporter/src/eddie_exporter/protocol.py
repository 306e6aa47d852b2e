"""Station *intake*: one connection, closed when its headers, its rest or its reader let it wait too long.

uvicorn has one deadline, for silence between two requests, and the first byte of a request ends it: five hundred
senders of a byte a minute would hold their connections for ever. The body's deadline is the intake's own (``body.py``).
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from dataclasses import dataclass
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from eddie_exporter.intake import FULL

MAX_HEAD = 64 * 1024
"""Bytes of a request's headers, and of what comes with a chunked body besides the body. The parser has no bound."""
MIN_READ = 64 * 1024
"""Bytes of a long answer that are to be read within the reader's time."""

# Java's client, for one, offers HTTP/2 with its first request. llhttp then takes the body for bytes of the new protocol
# and gives none of them; a server may ignore the header (RFC 9110 section 7.8), so the parser does not see it.
_UPGRADE = re.compile(rb"(?i)(?<=\n)upgrade(?=[ \t]*:)")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a connection may take, in seconds, and how many there may be.

    ``head``: for a request's headers, or for the rest of a request that is answered already. ``idle``: between two
    requests. ``reader``: for reading 64 KiB of what it has been sent. Past ``connections`` events are refused.
    """

    head: float = 10
    idle: float = 80
    reader: float = 60
    connections: int = 4096


def _refusal(status: str, error: str, expected: str) -> bytes:
    """Write an answer of the same form as all others (answers.py) to something that is no request yet."""
    said = {"error": error, "index": None, "field": None, "expected": expected, "got": None}
    body = json.dumps(said, separators=(",", ":")).encode()
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
    return f"{head}connection: close\r\n\r\n".encode() + body


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a deadline for each thing that a connection may wait for.

    There is one timer a connection, which looks whether ``_due`` is past and otherwise is set again; so a request
    costs two assignments and no timer.
    """

    patience = Patience()

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._due = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._in_head = True
        self._whole = True
        self._begun = False
        self._full = False
        self._received = 0
        self._body = 0
        self._unread = 0

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection; its first request has as long as any."""
        super().connection_made(transport)
        self._full = len(self.connections) > self.patience.connections
        self._due = self.loop.time() + self.patience.head
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let it go."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Give the reader of a long answer its time."""
        super().pause_writing()
        self._wait()

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        self._wait()

    def _wait(self) -> None:
        """Set the deadline of what the connection waits for now."""
        if self.flow.write_paused:
            self._due = self.loop.time() + self.patience.reader
            self._unread = self.transport.get_write_buffer_size()
        elif self.cycle is not None and not self.cycle.response_complete:
            self._due = math.inf  # the application's time
        elif self._whole:
            # uvicorn's own timer begins anew with every byte, also with one that begins no request.
            self._due = self.loop.time() + self.patience.idle
        else:
            self._due = self.loop.time() + self.patience.head

    def _look(self) -> None:
        """Close the connection if it is time, else come again when it could be."""
        now = self.loop.time()
        if now < self._due:
            # What is waited for may change meanwhile, to something with less time.
            step = min(self._due - now, self.patience.head, self.patience.reader)
            self._timer = self.loop.call_later(step, self._look)
            return
        if self.flow.write_paused and self.transport.get_write_buffer_size() <= self._unread - MIN_READ:
            self._wait()
            self._look()
            return
        self._timer = None
        if self._in_head and not self.transport.is_closing() and not self.transport.get_write_buffer_size():
            expected = f"all headers of a request within {self.patience.head:g} s"
            self.transport.write(_refusal("408 Request Timeout", "slow", expected))
            self.transport.close()
        else:
            self.transport.abort()

    # The request

    def data_received(self, data: bytes) -> None:
        """Parse what came, and stop a sender whose headers do not end."""
        if (self._in_head or self._whole) and (b"pgrade" in data or b"PGRADE" in data):
            end = data.find(b"\r\n\r\n")
            head = data if end < 0 else data[:end]
            data = _UPGRADE.sub(b"ignored", head) + data[len(head) :]
        super().data_received(data)
        if self._begun:
            # Where in these bytes the request began is not known; they are at most what one read gives.
            self._begun = False
            return
        self._received += len(data)
        if self._received - self._body > MAX_HEAD + 8 * self._body and not self.transport.is_closing():
            expected = f"at most {MAX_HEAD} bytes of headers"
            self.transport.write(_refusal("431 Request Header Fields Too Large", "too-large", expected))
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Say that this is no HTTP."""
        self.transport.write(_refusal("400 Bad Request", "http", f"a request of HTTP/1.1 ({msg})"))
        self.transport.close()

    def on_message_begin(self) -> None:
        """Begin a request, and its headers' time."""
        super().on_message_begin()
        if self._full:
            self.scope["extensions"] = {FULL: {}}
        self._in_head = self._begun = True
        self._whole = False
        self._received = self._body = 0
        self._wait()

    def on_headers_complete(self) -> None:
        """Hand the request on; from here its time is the application's."""
        super().on_headers_complete()
        self._in_head = False
        self._wait()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the request is whole."""
        super().on_message_complete()
        self._whole = True
        self._wait()

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the rest of one that was refused before it was whole."""
        super().on_response_complete()
        self._wait()
