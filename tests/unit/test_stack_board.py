"""Where the board stands: in Grafana's place, beside it, or missing; what the stack says and hands on in each case."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.programs import ROOT
from tests.support.ways import Way

from stack import __main__ as command
from stack import compose, compose_rows, modes, native_board, native_files, native_services
from stack.model import Context, ServiceRow, StackError
from stack.settings import load, ports
from stack.tools_model import Found

PROGRAMS = {name: Found(name, "99.0", "PATH", "/", {name: name}) for name in ("prometheus", "alertmanager")}


@pytest.fixture
def said() -> list[str]:
    """Collect what the person is told."""
    return []


@pytest.fixture
def ctx(tmp_path: Path, said: list[str]) -> Context:
    """Answer a stack with a virtual environment, on the usual ports."""
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "python").touch()
    env = load(tmp_path, {"EDDIE_VENV": str(tmp_path / "venv")})
    return Context(ROOT, env, tmp_path / ".run", tmp_path / "secrets", ports(env), said.append)


@pytest.fixture
def uninstallable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let pip fail, as where no index answers."""

    def fail(*_: object) -> None:
        raise StackError(
            "expected scripts/venv.sh to work, it ended with:\nERROR: No matching distribution\nvenv.sh: no"
        )

    with monkeypatch.context() as patched:
        patched.setattr(native_board, "make", fail)
        yield


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the board's requirements be there."""
    with monkeypatch.context() as patched:
        patched.setattr(native_board, "make", lambda *_: None)
        yield


@pytest.mark.usefixtures("installed")
def test_in_grafanas_place_it_has_grafanas_port(ctx: Context) -> None:
    """Every link to Grafana leads to it, its row says what it is, and a taken port is mended by Grafana's key."""
    board = native_board.instead(ctx)
    assert board is not None
    assert board.address == "http://127.0.0.1:3000"
    assert board.env["EDDIE_BOARD_PORT"] == "3000"
    assert board.env["EDDIE_GRAFANA_PUBLIC_URL"] == ctx.env["EDDIE_GRAFANA_PUBLIC_URL"]
    assert "stands in for Grafana" in board.note
    assert "GRAFANA_HOME" in board.note
    assert native_board.key_of(ctx, board) == "GRAFANA_PORT"


def test_beside_grafana_it_has_a_port_of_its_own(ctx: Context) -> None:
    """A taken port is mended by the board's own key."""
    board = native_board.service(ctx, ctx.ports["board"], native_board.BESIDE)
    assert (board.address, native_board.key_of(ctx, board)) == ("http://127.0.0.1:8504", "BOARD_PORT")


def test_it_has_nothing_that_could_write(ctx: Context) -> None:
    """It is given no token and no secret's place, and listens on loopback."""
    board = native_board.service(ctx, 8504, "")
    assert board.env["EDDIE_BOARD_HOST"] == "127.0.0.1"
    assert not [key for key, value in board.env.items() if "TOKEN" in key or str(ctx.secrets) in value]


@pytest.mark.usefixtures("uninstallable")
def test_without_its_requirements_the_stack_runs_without_it(ctx: Context, said: list[str]) -> None:
    """One line says why and what tries again; no service is made."""
    assert native_board.instead(ctx) is None
    (line,) = said
    assert "ERROR: No matching distribution" in line
    assert "make board tries again" in line


@pytest.mark.usefixtures("installed")
def test_the_exporter_asks_who_is_at_grafanas_address(ctx: Context) -> None:
    """With the board in Grafana's place the exporter's page asks there; with nobody there it asks nothing."""
    stand_in = native_board.instead(ctx)
    exporter, *others = native_services.services(ctx, PROGRAMS, stand_in)
    assert exporter.env["EDDIE_GRAFANA_URL"] == "http://127.0.0.1:3000"
    assert [service.name for service in others] == ["prometheus", "alertmanager", "board"]
    assert "EDDIE_GRAFANA_URL" not in native_services.services(ctx, PROGRAMS)[0].env


def test_prometheus_does_not_scrape_it(ctx: Context) -> None:
    """The board is no Grafana: there is no target that would be down for ever."""
    assert "grafana" not in native_files.targets(ctx, ["exporter", "prometheus", "alertmanager", "board"])
    assert "grafana" in native_files.targets(ctx, ["exporter", "grafana", "board"])


def test_with_a_grafana_nobody_misses_the_board() -> None:
    """A row is shown only for a board that should be there."""
    known = ["exporter", "prometheus", "alertmanager"]
    assert native_board.absent("board", [*known, "grafana"]) == []
    assert native_board.absent("board", []) == []
    (row,) = native_board.absent("board", known)
    assert (row.state, row.note) == ("left out", "its requirements could not be installed; make board tries again")
    (grafana,) = native_board.absent("grafana", [*known, "board"])
    assert (grafana.state, grafana.note) == ("left out", "the board stands in for it")


def container(port: int | None = None, state: str = "running") -> dict[str, Any]:
    """Answer a container as Compose tells of it."""
    published = [{"PublishedPort": port}] if port else []
    return {"State": state, "Health": "healthy", "Image": "eddie-board:local", "Publishers": published}


@pytest.mark.parametrize(
    ("found", "state", "address", "note"),
    [
        ({"board": container(3000)}, "ready", "http://127.0.0.1:3000", "stands in for Grafana"),
        ({"board": container(8504), "grafana": container(3000)}, "ready", "http://127.0.0.1:8504", "beside Grafana"),
        ({"exporter": container(8503)}, "left out", "", "make board tries again"),
        ({"board": {**container(), "State": "exited", "ExitCode": 78}}, "stopped", "", "exited, exit status 78"),
    ],
)
def test_the_table_says_where_it_stands(
    ctx: Context, found: dict[str, Any], state: str, address: str, note: str
) -> None:
    """In Grafana's place, beside it, missing, or ended: each with its address and what to know."""
    (row,) = [row for row in compose_rows.rows(ctx, found) if row.name == "board"]
    assert (row.state, row.address) == (state, address)
    assert note in row.note


def test_the_table_is_silent_of_a_board_nobody_asked_for(ctx: Context) -> None:
    """With a Grafana, and where nothing runs, there is no row of the board."""
    for found in ({"grafana": container(3000)}, {}):
        assert "board" not in {row.name for row in compose_rows.rows(ctx, found)}


def test_the_callers_profiles_are_kept(ctx: Context) -> None:
    """`make down` knows the board's container, and profiles of an override file still count."""
    assert compose.environment(ctx)["COMPOSE_PROFILES"] == "board"
    ctx.env["COMPOSE_PROFILES"] = "mine"
    assert compose.environment(ctx)["COMPOSE_PROFILES"] == "mine,board"


@pytest.mark.parametrize(("board", "asked"), [(True, ["up", "board"]), (False, ["up"])])
def test_the_stack_comes_before_its_board(
    ctx: Context, monkeypatch: pytest.MonkeyPatch, *, board: bool, asked: list[str]
) -> None:
    """`make board` starts the stack where it does not run, then the board; `make up` asks for no board beside it."""
    way = Way(["ready"])
    monkeypatch.setattr(command, "WAYS", {"native": way})
    monkeypatch.setattr(command, "prepare", lambda _: None)
    ctx.env["EDDIE_MODE"] = "native"
    assert command.up(ctx, board=board) == 0
    assert way.asked == asked


def test_a_stopped_stack_without_grafana_is_a_stopped_stack(
    ctx: Context, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `make down` a service that was left out is no sign of life; a service that runs is."""
    rows = [ServiceRow("grafana", "", "left out")]
    monkeypatch.setattr(command, "WAYS", {"native": Way(["stopped"], rows)})
    modes.remember(ctx.run, "native")
    assert command.status(ctx) == 0
    assert said == ["no stack runs; start it with: make up"]
    monkeypatch.setattr(command, "WAYS", {"native": Way(["stopped", "ready"], rows)})
    assert command.status(ctx) == 1
