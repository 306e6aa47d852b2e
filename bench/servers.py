"""Who is measured: the exporter, the bare endpoint and Pushgateway, each a real process held to the first core."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rig.engine import Engine, free_port
from stack import tools_archive
from stack.tools import folder
from stack.tools_model import Program, SourceError

ROOT = Path(__file__).parents[1]
SERVER_CORE, LOAD_CORE = 0, 1
"""The server has a core to itself, and so has what loads it."""
PUSHGATEWAY = Program(
    name="pushgateway",
    binaries=("prometheus-pushgateway",),
    minimum=(1, 4),
    pinned="",
    releases_key="",
    releases_url="",
    archive="",
    sums="",
    packages=("prometheus-pushgateway",),
)


@contextmanager
def apart() -> Iterator[None]:
    """Keep this process, which makes the load, off the servers' core; where there is one core only, do not."""
    before = os.sched_getaffinity(0)
    if len(before) > 1:
        os.sched_setaffinity(0, {LOAD_CORE})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def _running(name: str, command: list[str], port: int, path: str, environment: dict[str, str]) -> Iterator[int]:
    with tempfile.NamedTemporaryFile(prefix=f"bench-{name}-") as log:
        engine = Engine(
            name,
            ["taskset", "-c", str(SERVER_CORE), *command],
            f"http://127.0.0.1:{port}",
            path,
            Path(log.name),
            environment,
            cwd=ROOT,
        )
        try:
            engine.start()
            yield port
        finally:
            engine.stop()


def data_folder() -> Path:
    """Answer a folder on a disk: that for temporary files may be memory, where a commit costs nothing."""
    run = ROOT / ".run"
    run.mkdir(exist_ok=True)
    return run


@contextmanager
def exporter(**settings: str) -> Iterator[int]:
    """Run the exporter with its store on disk, and answer its port."""
    with tempfile.TemporaryDirectory(dir=data_folder(), prefix="bench-") as data:
        port = free_port()
        chosen = {
            "EDDIE_PORT": str(port),
            "EDDIE_DOCKER": "false",
            "EDDIE_DATA_DIR": data,
            "EDDIE_LOG_LEVEL": "warning",
        }
        command = [sys.executable, "-m", "eddie_exporter"]
        with _running("exporter", command, port, "/health/ready", {**chosen, **settings}) as ready:
            yield ready


@contextmanager
def bare() -> Iterator[int]:
    """Run the bare endpoint, and answer its port."""
    port = free_port()
    with _running("bare", [sys.executable, "-m", "bench.bare", str(port)], port, "/openapi.json", {}) as ready:
        yield ready


@contextmanager
def pushgateway() -> Iterator[int]:
    """Run Pushgateway, and answer its port. Raises SourceError where nobody has it."""
    port = free_port()
    command = [_pushgateway(), f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    with _running("pushgateway", command, port, "/-/ready", {"GOMAXPROCS": "1"}) as ready:
        yield ready


def _pushgateway() -> str:
    """Answer the program's path: what was fetched before, else from the distribution's archive."""
    tools = folder(ROOT, os.environ)
    kept = sorted(tools.glob("pushgateway/*/usr/bin/prometheus-pushgateway"))
    if kept:
        return str(kept[-1])
    tools.mkdir(exist_ok=True)
    with tools_archive.opened(tools, os.environ) as archive:
        return archive.fetch(PUSHGATEWAY).binaries["prometheus-pushgateway"]


__all__ = ["SourceError", "apart", "bare", "data_folder", "exporter", "pushgateway"]
