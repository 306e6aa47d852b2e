"""Starts and stops the exporter; the only place that exits."""

from __future__ import annotations

import logging
import resource
import signal
import socket
import sys
from types import FrameType

import structlog
import uvicorn

from eddie_exporter import logs, settings
from eddie_exporter.app import create_app
from eddie_exporter.errors import SettingsError

EX_CONFIG = 78
"""sysexits.h: the configuration is wrong; starting again without mending it is of no use."""
GRACE_SECONDS = 5
"""What requests get to end after SIGTERM; Docker kills after ten."""
KEEP_ALIVE_SECONDS = 75
"""Longer than any scrape interval or client's pool: who closes first on an idle connection loses a request."""

MOST_FILES = 65_536
"""Connections worth waiting for; the rest of an unlimited machine is for others."""

log = structlog.get_logger("eddie_exporter")


def _listen(host: str, port: int) -> socket.socket:
    """Take the port here, so that a taken one is one clear line. Raises OSError."""
    # The protocol is named because asyncio sets TCP_NODELAY only on sockets that say they are TCP: without it
    # each request on a connection that is kept waits 40 ms for an acknowledgement.
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener


def _allow_connections() -> None:
    """Let a fleet keep its connections open: the usual soft limit of 1024 files is less than 1000 agents need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _stop(_signal: int, _frame: FrameType | None) -> None:
    """End well: uvicorn has its own handler while it serves and calls this one afterwards."""
    raise SystemExit(0)


def main() -> None:
    """Run until SIGTERM or SIGINT. Exits 78 when settings or token files are wrong, 1 when the port is taken."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    logs.configure("info")
    try:
        chosen = settings.load()
        logs.configure(chosen.log_level)
        app = create_app(chosen)
    except SettingsError as error:
        log.error("the settings are wrong", mistakes=error.mistakes)  # noqa: TRY400  (a traceback says nothing here)
        sys.exit(EX_CONFIG)
    try:
        listener = _listen(chosen.host, chosen.port)
    except OSError as error:
        log.error(  # noqa: TRY400
            "cannot listen; set EDDIE_HOST and EDDIE_PORT to an address and port that are free here",
            host=chosen.host,
            port=chosen.port,
            why=str(error),
        )
        sys.exit(1)
    _allow_connections()
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level=logging.WARNING,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        h11_max_incomplete_event_size=64 * 1024,
    )
    host, port = listener.getsockname()[:2]
    log.info("listening", host=host, port=port, environment=chosen.environment, docker=chosen.docker)
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        log.info("stopped")


if __name__ == "__main__":
    main()
