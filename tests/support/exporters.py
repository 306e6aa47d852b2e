"""An exporter for a test: as an app in this process, or as the real process on a port of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx
from fastapi import FastAPI
from tests.support.eventually import eventually

from eddie_exporter.app import create_app
from eddie_exporter.metrics import MetricsCollector
from eddie_exporter.settings import Settings


def app_with(**settings: Any) -> FastAPI:
    """Build an app that watches no Docker unless asked to."""
    return create_app(Settings(**{"docker": False, **settings}))


def collector_of(app: FastAPI) -> MetricsCollector:
    """Answer the collector an app counts with."""
    collector = app.state.collector
    assert isinstance(collector, MetricsCollector)
    return collector


@contextlib.asynccontextmanager
async def client_of(app: FastAPI, *, alive: bool = False) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of ``app``; ``alive`` runs its background tasks too."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with contextlib.AsyncExitStack() as stack:
        if alive:
            await stack.enter_async_context(app.router.lifespan_context(app))
        yield await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://exporter"))


async def soon(check: Callable[[], Awaitable[None]], within: float) -> None:
    """Be `eventually` for a check that runs on the loop it waits on."""
    deadline = time.monotonic() + within
    while True:
        try:
            return await check()
        except AssertionError:
            if time.monotonic() >= deadline:
                raise
            await asyncio.sleep(0.02)


@dataclass
class Running:
    """A real exporter: its address, its process, its log."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def lines(self) -> list[str]:
        """Answer what it has logged so far."""
        return self.log.read_text("utf-8").splitlines()

    def stop(self, within: float = 10) -> int:
        """Ask it to end, and answer its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within)


def start(log: IO[bytes], **env: str) -> subprocess.Popen[bytes]:
    """Start the exporter with these settings, and none of the caller's."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("EDDIE_", "DOCKER_"))}
    command = [sys.executable, "-m", "eddie_exporter"]
    return subprocess.Popen(command, env={**clean, **env}, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def get(url: str) -> str:
    """Read an address of this machine, past every proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=5) as answer:
        return str(answer.read().decode("utf-8"))


def _port(log: Path) -> int:
    """Read from the log which port the exporter took."""
    for line in log.read_text("utf-8").splitlines():
        said = json.loads(line)
        if said["event"] == "listening":
            return int(said["port"])
    raise AssertionError(f"expected a line `listening`, got {log.read_text('utf-8')!r}")


@contextlib.contextmanager
def running(folder: Path, **env: str) -> Iterator[Running]:
    """Run the exporter on a free port until the block is left; its log lies in ``folder``."""
    log = folder / "exporter.log"
    with log.open("wb") as written:
        process = start(written, **{"EDDIE_PORT": "0", "EDDIE_DOCKER": "false", **env})
    try:
        exporter = Running(f"http://127.0.0.1:{eventually(lambda: _port(log), within=20)}", process, log)
        eventually(lambda: get(f"{exporter.url}/health/live"), within=20)
        yield exporter
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(10)
