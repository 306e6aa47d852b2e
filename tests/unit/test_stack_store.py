"""`make status` says where the exporter's store lies and how big it is; `make start-fresh` moves it aside."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from stack import modes, store
from stack.model import Context, StackError

DOCKER = """#!/bin/sh
echo "$*" >>{calls}
case "$*" in
"compose ps "*) printf '{ps}' ;;
*" run "*) exit {ends} ;;
esac
"""
RUN = "compose --progress quiet run --rm --no-deps --no-TTY exporter --start-fresh"


def service(name: str) -> str:
    """Answer a container as `docker compose ps` tells it."""
    return json.dumps({"Service": name, "State": "restarting"}) + "\\n"


Make = Callable[..., tuple[Context, Callable[[], list[str]]]]


@pytest.fixture
def containers(tmp_path: Path) -> Make:
    """Answer a stack in containers on an engine that writes down what it is asked, and what it was told to do."""

    def make(*services: str, ends: int = 0) -> tuple[Context, Callable[[], list[str]]]:
        calls, docker = tmp_path / "calls", tmp_path / "bin" / "docker"
        docker.parent.mkdir()
        docker.write_text(DOCKER.format(calls=calls, ps="".join(map(service, services)), ends=ends))
        docker.chmod(0o755)
        env = {"PATH": f"{docker.parent}:{os.environ['PATH']}", "EDDIE_BIND": "127.0.0.1"}
        ctx = Context(tmp_path, env, tmp_path / ".run", tmp_path / "secrets", {"prometheus": 9}, lambda _: None)
        modes.remember(ctx.run, modes.CONTAINERS)
        return ctx, lambda: [one for one in calls.read_text().splitlines() if one.startswith("compose --progress")]

    return make


def test_in_containers_the_exporter_makes_room_and_comes_back(containers: Make) -> None:
    """It is stopped, its store moved by a container of its own, and the very same container started again."""
    ctx, told = containers("exporter", "prometheus")
    assert store.start_fresh(ctx) == 0
    stop, run, up = told()
    assert stop.endswith("stop exporter")
    assert run == RUN
    assert "up --detach --no-build --no-deps --no-recreate --wait" in up
    assert up.endswith("exporter")


def test_a_store_that_cannot_be_moved_is_told_and_the_exporter_started_all_the_same(containers: Make) -> None:
    """Negative twin: a full disk ends it with an error, and what ran before runs again."""
    ctx, told = containers("exporter", ends=70)
    with pytest.raises(StackError, match=r"`docker compose run` to succeed, it ended with 70"):
        store.start_fresh(ctx)
    assert told()[-1].endswith("exporter")
    assert " up " in told()[-1]


def test_a_stack_that_does_not_run_stays_down(containers: Make) -> None:
    """What `run` makes for itself, networks above all, goes again; volumes are not touched."""
    ctx, told = containers()
    store.start_fresh(ctx)
    assert told() == [RUN, "compose --progress quiet down --remove-orphans"]


def test_without_a_stack_there_is_nothing_to_move(tmp_path: Path) -> None:
    """Where nothing was started the way to start is said."""
    ctx = Context(tmp_path, {"PATH": "", "EDDIE_BIND": "127.0.0.1"}, tmp_path / ".run", tmp_path, {})
    with pytest.raises(StackError, match="no stack was started here"):
        store.start_fresh(ctx)


def test_native_without_an_exporter_says_so(tmp_path: Path) -> None:
    """A mode that was chosen and never came to a start has no exporter to ask."""
    ctx = Context(tmp_path, {}, tmp_path / ".run", tmp_path, {}, lambda _: None)
    modes.remember(ctx.run, modes.NATIVE)
    with pytest.raises(StackError, match="expected an exporter that was started here"):
        store.start_fresh(ctx)


@contextmanager
def prometheus(result: list[object]) -> Iterator[int]:
    """Answer each query with this result, on a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"data": {"result": result}}).encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server.server_port
        server.shutdown()


def of(port: int, root: Path = Path("/c")) -> Context:
    """Answer a stack whose Prometheus is on this port."""
    return Context(root, {}, root / ".run", root / "secrets", {"prometheus": port}, project="mine")


def test_in_containers_it_is_a_volume_with_the_size_that_was_scraped() -> None:
    """The engine is not asked: it would walk over all its volumes."""
    with prometheus([{"value": [0, "1234567"]}]) as port:
        said = store.line(of(port), "containers")
    assert said == "store: volume mine_exporter-data (/var/lib/eddie in the exporter's container), 1.23MB"


def test_without_a_scrape_no_size_is_made_up() -> None:
    """A store that Prometheus does not know yet, and a Prometheus that is away, leave the place alone."""
    with prometheus([]) as port:
        said = store.line(of(port), "containers")
    assert said.endswith("container)")
    assert store.line(of(port), "containers") == said


def test_natively_it_is_a_folder_with_its_files_sizes(tmp_path: Path) -> None:
    """What lies aside counts too: it is there until somebody removes it."""
    data = tmp_path / ".run" / "data" / "exporter"
    data.mkdir(parents=True)
    (data / "journal.db").write_bytes(b"x" * 1500)
    (data / "journal.db.aside-20260101T000000Z").write_bytes(b"x" * 500)
    assert store.line(of(9, tmp_path), "native") == "store: .run/data/exporter, 2kB"
