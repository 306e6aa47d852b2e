"""The board without containers, for real: in a missing Grafana's place, and beside one, under the same supervisor."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.eventually import eventually
from tests.support.natives import Native, ask, faster, listening
from tests.support.stacks import needs

from stack import native

DASHBOARD = "/d/eddie-distributed-fallback"
NO_GRAFANA = {"GRAFANA_HOME": "", "GRAFANA_RELEASES_URL": ""}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Native]:
    """Run one stack on a machine where no source has a Grafana."""
    if shutil.which("grafana"):
        pytest.skip("a Grafana is on PATH: nobody has to stand in for it")
    folder = tmp_path_factory.mktemp("no grafana")
    stack = Native(folder, {**NO_GRAFANA, "EDDIE_CONFIGS": str(faster(folder / "configs"))})
    # The distribution's archive never has one; a folder of programs that was filled with one would.
    try:
        stack.up()
        if "board" not in stack.rows():
            pytest.skip("a Grafana is in .tools: nobody has to stand in for it")
        yield stack
    finally:
        stack.down()


def test_the_board_is_where_grafana_would_be(stack: Native) -> None:
    """The table shows it ready at Grafana's address, and says how to get a Grafana."""
    rows = stack.rows()
    assert (rows["board"].state, rows["board"].address) == ("ready", stack.address("grafana"))
    assert "GRAFANA_HOME" in rows["board"].note
    assert (rows["grafana"].state, rows["grafana"].note) == ("left out", "the board stands in for it")
    assert not listening(stack.ports["board"])


def test_grafanas_paths_are_answered(stack: Native) -> None:
    """A link out of an alert or a document opens: the dashboard, one panel of it, and the health answer."""
    for path in (DASHBOARD, f"{DASHBOARD}?viewPanel=5", "/api/health"):
        assert ask("GET", stack.address("grafana") + path).status_code == 200, path
    assert ask("GET", f"{stack.address('grafana')}/api/health").json()["program"] == "eddie-board"


def test_the_exporters_page_names_it(stack: Native) -> None:
    """`GET /` of the exporter says that the board answers, at Grafana's link."""
    page = ask("GET", f"{stack.address('exporter')}/").text
    assert "Board (in Grafana" in page
    assert stack.ctx.env["EDDIE_GRAFANA_PUBLIC_URL"] in page


def test_nobody_scrapes_it_as_grafana(stack: Native) -> None:
    """There is no target of a Grafana that is not there."""
    assert stack.value('count(up{job="grafana"})') is None


def test_a_killed_board_comes_back(stack: Native) -> None:
    """It is under the same supervisor as everything else."""
    before = stack.pids()["board"]
    os.kill(before, signal.SIGKILL)

    def back() -> None:
        assert stack.pids().get("board") not in {None, before}
        assert stack.rows()["board"].state == "ready"

    eventually(back, within=60)


def test_asked_for_it_is_there_already(stack: Native) -> None:
    """`make board` where it stands in for Grafana starts no second one, and says where it is."""
    before = stack.pids()
    native.board(stack.ctx)
    assert stack.said[-1] == f"the board runs already: {stack.address('grafana')}"
    assert stack.pids() == before


def test_beside_a_grafana(tmp_path: Path) -> None:
    """It starts on its own port without touching anybody else, outlives the supervisor, and `make down` ends it."""
    needs("prometheus", "alertmanager", "amtool", grafana=True)
    stack = Native(tmp_path, {"EDDIE_CONFIGS": str(faster(tmp_path / "configs"))})
    try:
        stack.up()
        before = stack.pids()
        assert "board" not in stack.rows()
        native.board(stack.ctx)
        rows = stack.rows()
        assert (rows["board"].state, rows["board"].address) == ("ready", stack.address("board"))
        assert rows["grafana"].state == "ready"
        assert before.items() <= stack.pids().items()
        assert ">Grafana<" in ask("GET", f"{stack.address('exporter')}/").text
        os.kill(before["supervisor"], signal.SIGKILL)

        def back() -> None:
            assert stack.pids().get("supervisor") not in {None, before["supervisor"]}
            assert {row.state for row in stack.rows().values()} == {"ready"}

        eventually(back, within=60)
    finally:
        stack.down()
    assert [port for port in stack.ports.values() if listening(port)] == []
