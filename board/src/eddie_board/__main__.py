"""Starts and stops the board; the only place that exits."""

from __future__ import annotations

import logging
import signal
import socket
import sys
from types import FrameType

import structlog
import uvicorn

from eddie_board import logs, settings
from eddie_board.app import create_app
from eddie_board.errors import SettingsError

GRACE_SECONDS = 3
"""What requests get to end after SIGTERM; open pages find their way back by themselves."""

log = structlog.get_logger("eddie_board")


def _listen(host: str, port: int) -> socket.socket:
    """Take the port here, so that a taken one is one clear line. Raises OSError."""
    # Named because asyncio sets TCP_NODELAY only on sockets that say they are TCP.
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


def _stop(_signal: int, _frame: FrameType | None) -> None:
    """End well: uvicorn has its own handler while it serves and calls this one afterwards."""
    raise SystemExit(0)


def main() -> None:
    """Run until SIGTERM or SIGINT. Exits 78 when settings are wrong, 1 when the port is taken."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    logs.configure("info")
    try:
        chosen = settings.load()
    except SettingsError as error:
        log.error("the settings are wrong", mistakes=error.mistakes)  # noqa: TRY400  (a traceback says nothing here)
        sys.exit(settings.EX_CONFIG)
    logs.configure(chosen.log_level)
    try:
        listener = _listen(chosen.board_host, chosen.board_port)
    except OSError as error:
        log.error(  # noqa: TRY400
            "cannot listen; set EDDIE_BOARD_HOST and EDDIE_BOARD_PORT to an address and port that are free here",
            host=chosen.board_host,
            port=chosen.board_port,
            why=str(error),
        )
        sys.exit(1)
    config = uvicorn.Config(
        create_app(chosen),
        log_config=None,
        log_level=logging.WARNING,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        # Compressing costs 20 ms a refresh and viewer, and 300 KB of memory a viewer; the board is for this machine.
        ws_per_message_deflate=False,
        lifespan="on",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    host, port = listener.getsockname()[:2]
    log.info("listening", host=host, port=port, prometheus=chosen.prometheus_url)
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        log.info("stopped")


if __name__ == "__main__":
    main()
