"""A stack without containers, for real: what `make up` starts works, comes back when killed, and leaves no trace."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.support.eventually import eventually
from tests.support.natives import Native, ask, faster, listening

from stack import native
from stack.model import StackError

HOLDER = "import signal, socket, sys; held = socket.create_server(('127.0.0.1', int(sys.argv[1]))); signal.pause()"
KILLED = ("exporter", "prometheus", "alertmanager", "supervisor")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Native]:
    """Run one stack for the tests that only look, or only kill; its folder's name has what names may have."""
    folder = tmp_path_factory.mktemp("a stack, 100% native")
    stack = Native(folder, {"EDDIE_CONFIGS": str(faster(folder / "configs"))})
    try:
        stack.up()
        yield stack
    finally:
        stack.down()


def ready(stack: Native) -> None:
    """Assert that every service that is there answers."""
    assert {row.state for row in stack.rows().values()} <= {"ready", "left out"}


def test_all_is_ready_when_up_returns(stack: Native) -> None:
    """The table shows every service ready with its version; only Grafana may be left out."""
    rows = stack.rows()
    assert {name: rows[name].state for name in ("exporter", "prometheus", "alertmanager")} == {
        "exporter": "ready",
        "prometheus": "ready",
        "alertmanager": "ready",
    }
    assert rows["prometheus"].version
    assert rows["prometheus"].note.startswith("from ")


def test_an_event_arrives_in_prometheus(stack: Native) -> None:
    """The first event of an agent is in Prometheus after the next scrape, and counts."""
    stack.send("timeout", agent_id="native-1", reason="deadline")

    def counted() -> None:
        assert stack.value('timeout_events_total{agent_id="native-1"}') == 1
        assert stack.value('increase(timeout_events_total{agent_id="native-1"}[1m])')

    eventually(counted, within=60)


def test_everything_is_scraped(stack: Native) -> None:
    """Prometheus scrapes the exporter, itself and Alertmanager at their real addresses; there is no false target."""

    def scraped() -> None:
        assert stack.value("count(up == 1)") == stack.value("count(up)")
        assert (stack.value("count(up)") or 0) >= 3

    eventually(scraped, within=60)


def test_alerts_reach_the_inbox(stack: Native) -> None:
    """The Watchdog goes through Alertmanager, with the shared token, into the exporter's inbox."""

    def told() -> None:
        summary = ask("GET", f"{stack.address('exporter')}/metrics/summary").text
        assert "Watchdog" in summary

    eventually(told, within=60)


def test_nothing_listens_beyond_this_machine(stack: Native) -> None:
    """Every port of every process is on loopback, and the supervisor's sockets are the owner's alone."""
    for pid in stack.pids().values():
        for connection in psutil.Process(pid).net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN:
                assert connection.laddr.ip == "127.0.0.1"
    folder = Path((stack.place.native / "sockets").read_text().strip())
    sockets = list(folder.glob("*.sock"))
    assert sockets
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in sockets)


def test_a_second_up_changes_nothing(stack: Native) -> None:
    """On a running stack `make up` starts no process, ends none, and says so."""
    before = stack.pids()
    stack.up()
    assert stack.pids() == before
    assert stack.said[-1] == "the stack runs already; nothing was changed"


@pytest.mark.parametrize("name", KILLED)
def test_a_killed_process_comes_back(name: str, stack: Native) -> None:
    """`kill -9` of any process is mended without a person, the supervisor's own included."""
    before = stack.pids()[name]
    os.kill(before, signal.SIGKILL)

    def back() -> None:
        assert stack.pids().get(name) not in {None, before}
        ready(stack)

    eventually(back, within=60)


def test_up_mends_a_stack_whose_guard_was_killed(stack: Native) -> None:
    """Without its guard a stack still runs; the next `make up` ends what is left and starts it whole."""
    os.kill(stack.pids()["guard"], signal.SIGKILL)

    def gone() -> None:
        assert "guard" not in stack.pids()

    eventually(gone, within=60)
    stack.up()
    assert any(line.startswith("ending what a killed stack left: supervisor") for line in stack.said)
    ready(stack)


def test_down_leaves_nothing_and_keeps_the_data(stack: Native) -> None:
    """After `make down` no process and no port is left; the next `make up` has what Prometheus stored."""
    stack.send("timeout", agent_id="native-2", reason="deadline")
    eventually(lambda: _stored(stack), within=60)
    before = [psutil.Process(pid) for pid in stack.pids().values()]
    stack.down()
    assert [process for process in before if process.is_running() and process.status() != psutil.STATUS_ZOMBIE] == []
    assert [port for port in stack.ports.values() if listening(port)] == []
    assert native.holds_data(stack.ctx)
    assert {row.state for row in stack.rows().values()} <= {"stopped", "left out"}
    stack.up()
    _stored(stack)


def _heard(stack: Native) -> None:
    assert listening(stack.ports["prometheus"])


def _stored(stack: Native) -> None:
    assert stack.value('max_over_time(timeout_events_total{agent_id="native-2"}[10m])') == 1


def test_a_taken_port_is_told_before_anything_starts(tmp_path: Path) -> None:
    """The message names the port, its owner and the key; no process was started."""
    stack = Native(tmp_path)
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(stack.ports["prometheus"])]) as holder:
        eventually(lambda: _heard(stack), within=60)
        with pytest.raises(StackError) as caught:
            stack.up()
        holder.kill()
    assert f"port {stack.ports['prometheus']} for prometheus" in str(caught.value)
    assert f"process {holder.pid}" in str(caught.value)
    assert "PROMETHEUS_PORT" in str(caught.value)
    assert stack.pids() == {}


def test_a_service_that_cannot_start_is_told_with_its_log(tmp_path: Path) -> None:
    """A mistake in a rule file ends `make up` with Prometheus's own words, and nothing is left running."""
    configs = faster(tmp_path / "configs")
    (configs / "prometheus" / "rules" / "recording" / "wrong.yml").write_text("groups: [{name: wrong, rules: 1}]\n")
    stack = Native(tmp_path, {"EDDIE_CONFIGS": str(configs)})
    with pytest.raises(StackError, match=r"prometheus: expected it ready, but it ended 4 times(?s:.)*wrong\.yml"):
        stack.up()
    assert stack.pids() == {}
    assert [port for port in stack.ports.values() if listening(port)] == []


def test_down_of_nothing_is_no_error(tmp_path: Path) -> None:
    """Where nothing runs `make down` says so."""
    stack = Native(tmp_path)
    stack.down()
    assert stack.said == ["no process of this stack runs"]
    assert not native.holds_data(stack.ctx)
