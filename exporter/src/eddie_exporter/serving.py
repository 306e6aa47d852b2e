"""Beside the data's way: serves until it is told to end, and answers with the exit code; see ``__main__``."""

from __future__ import annotations

import gc
import os
import resource
import socket
from pathlib import Path

import structlog

from eddie_exporter import logs, settings
from eddie_exporter.app import create_app
from eddie_exporter.errors import SettingsError, StoreError
from eddie_exporter.opening import move_aside
from eddie_exporter.server import Server, server

MOST_FILES = 65_536
"""Connections worth waiting for; the rest of an unlimited machine is for others."""
COLLECT_EVERY = (10_000, 20, 100)
"""Objects made before the young are looked at (a millisecond), and how many looks before the older ones are."""

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


def _collect_seldom() -> None:
    """Let the collector of cycles look less often, and never again at what is here from the start.

    What is counted lives long and holds no cycles; at its own pace the collector went through all of it in the middle
    of a load, and the slowest of a hundred single events took four times as long.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_EVERY)


def _start_fresh(folder: Path | None) -> None:
    """Move the store aside and say where it lies."""
    if folder is None:
        raise SettingsError(["EDDIE_DATA_DIR: expected the directory of the store to move aside, got nothing"])
    moved = move_aside(folder)
    log.info(
        "the store is moved aside, the next start begins at zero" if moved else "there is no store, nothing to move",
        now_at=[str(path) for path in moved],
    )


class _Server:
    """A server that can be told from any thread to end, and remembers why."""

    def __init__(self) -> None:
        self.server: Server | None = None
        self.failed: StoreError | None = None

    def end(self, error: StoreError) -> None:
        self.failed = error
        if self.server is not None:
            self.server.should_exit = True


def serve(*, start_fresh: bool = False) -> int:
    """Serve until SIGTERM or SIGINT, or move the store aside; answer the exit code."""
    logs.configure("info")
    serving = _Server()
    try:
        chosen = settings.load()
        logs.configure(chosen.log_level)
        if start_fresh:
            _start_fresh(chosen.data_dir)
            return 0
        app = create_app(chosen, on_failure=serving.end)
    except SettingsError as error:
        log.error("the settings are wrong", mistakes=error.mistakes)  # noqa: TRY400  (a traceback says nothing here)
        return os.EX_CONFIG
    except StoreError as error:
        log.error("the store cannot be used", why=str(error))  # noqa: TRY400
        return error.code
    if chosen.data_dir is None:
        log.warning("EDDIE_DATA_DIR is not set: what is counted is kept in memory only, and gone at the end")
    try:
        listener = _listen(chosen.host, chosen.port)
    except OSError as error:
        log.error(  # noqa: TRY400
            "cannot listen; set EDDIE_HOST and EDDIE_PORT to an address and port that are free here",
            host=chosen.host,
            port=chosen.port,
            why=str(error),
        )
        return 1
    _allow_connections()
    _collect_seldom()
    host, port = listener.getsockname()[:2]
    log.info("listening", host=host, port=port, environment=chosen.environment, docker=chosen.docker)
    serving.server = server(app, listener, chosen)
    try:
        serving.server.run()
    finally:
        log.info("stopped")
    return serving.failed.code if serving.failed else 0
