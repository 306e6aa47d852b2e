"""Station *intake*: lets connections in, as many as there is place for, and goes on when there is none for a while.

The loop's own server is not used: when no file descriptor is left uvloop's closes its socket for good, and asyncio's
writes thousands of lines a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import resource
import socket
from collections.abc import Callable, Sized

import structlog
import uvicorn
from fastapi import FastAPI

from eddie_exporter.protocol import GuardedProtocol, Patience
from eddie_exporter.settings import Settings

SPARE = 64
"""Connections let in past the limit: to be told so in words, and for scrapes, which are answered all the same."""
GRACE_SECONDS = 5
"""What requests get to end after SIGTERM; Docker kills after ten."""
KEEP_ALIVE_SECONDS = 75
"""Longer than any scrape interval or client's pool: who closes first on an idle connection loses a request."""
RESERVED_FILES = 64
"""Files kept for the store, the Docker Engine, token files and questions to the neighbours."""
_AT_ONCE = 64
"""Connections taken before the loop's other work has its turn."""
_AGAIN_SECONDS = 0.1
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

log = structlog.get_logger("eddie_exporter")


def _places(wanted: int) -> int:
    """Answer how many connections of those ``wanted`` this process has files for, beside the spare ones."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    found = max(1, min(wanted, soft - min(SPARE, soft // 8) - min(RESERVED_FILES, soft // 3)))
    if found < wanted:
        log.warning("the limit of open files allows fewer connections than are set", files=soft, connections=found)
    return found


class Acceptor:
    """Accepts connections while fewer than ``most`` are ``there``; ``make`` answers a protocol for each."""

    def __init__(
        self, listener: socket.socket, make: Callable[[], asyncio.BaseProtocol], there: Sized, most: int
    ) -> None:
        self._listener = listener
        self._make = make
        self._there = there
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._coming: set[asyncio.Task[None]] = set()
        self._later: asyncio.TimerHandle | None = None
        self._exhausted = False
        listener.setblocking(False)
        self._listen()

    def close(self) -> None:
        """Let nobody in any more."""
        if self._later is not None:
            self._later.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def _listen(self) -> None:
        self._later = None
        self._loop.add_reader(self._listener, self._knock)

    def _pause(self) -> None:
        """Leave those who knock to the kernel for a moment; it keeps a thousand."""
        self._loop.remove_reader(self._listener)
        self._later = self._loop.call_later(_AGAIN_SECONDS, self._listen)

    def _knock(self) -> None:
        for _ in range(_AT_ONCE):
            if len(self._there) + len(self._coming) >= self._most:
                self._pause()
                return
            try:
                link, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                if not self._exhausted:
                    self._exhausted = True
                    log.error("no connection can be taken until one ends", why=str(error), open=len(self._there))  # noqa: TRY400
                self._pause()
                return
            self._exhausted = False
            task = self._loop.create_task(self._welcome(link))
            self._coming.add(task)
            task.add_done_callback(self._coming.discard)

    async def _welcome(self, link: socket.socket) -> None:
        link.setblocking(False)
        # Without it each request on a connection that is kept waits 40 ms for an acknowledgement.
        with contextlib.suppress(OSError):
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await self._loop.connect_accepted_socket(self._make, link)
        except OSError:  # whoever knocked is gone again
            link.close()


class Server(uvicorn.Server):
    """uvicorn's server behind an Acceptor of our own; ``most`` connections and some spare ones."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket, most: int) -> None:
        super().__init__(config)
        self._listener = listener
        self._most = most
        self._spare = min(SPARE, max(1, most // 4))
        self._acceptor: Acceptor | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        """Start the application, then let connections in."""
        await super().startup(sockets=[])
        if self.started:
            self._acceptor = Acceptor(
                self._listener, self._make, self.server_state.connections, self._most + self._spare
            )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        """Let nobody in any more, and end what is under way."""
        if self._acceptor is not None:
            self._acceptor.close()
        await super().shutdown(sockets=[])

    def _make(self) -> asyncio.BaseProtocol:
        made = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        assert isinstance(made, asyncio.BaseProtocol)  # noqa: S101
        return made


def server(app: FastAPI, listener: socket.socket, settings: Settings) -> Server:
    """Answer the server of ``app``, as patient as the settings say."""
    most = _places(settings.max_connections)
    patience = Patience(
        head=settings.header_seconds,
        idle=KEEP_ALIVE_SECONDS + 5,
        reader=settings.receipt_seconds,
        connections=most,
    )
    config = uvicorn.Config(
        app,
        http=type("Protocol", (GuardedProtocol,), {"patience": patience}),
        log_config=None,
        log_level=logging.WARNING,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return Server(config, listener, most)
