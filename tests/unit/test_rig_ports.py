"""The ports that the rig and the tests give to their programs."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.programs import ROOT

from rig import engine

ASK = "from rig.engine import free_port; print(*(free_port() for _ in range(100)))"


def test_processes_that_ask_at_a_time_are_never_given_the_same_port() -> None:
    """Four ask for a hundred each, none of which is listened at when the next is asked for."""
    asking = [
        subprocess.Popen([sys.executable, "-c", ASK], cwd=ROOT / "scripts", stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    given = [port for one in asking for port in one.communicate(timeout=60)[0].split()]
    assert len(given) == len(set(given)) == 400


def test_a_port_is_not_one_that_a_connection_may_be_given() -> None:
    """A stack takes seconds to start: enough for a client's own end to sit on its last program's port."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert engine.PORTS.stop <= lowest
    assert engine.free_port() in engine.PORTS


def test_a_port_that_is_listened_at_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """With only one of two free, it is that one; with none, the message says so."""
    with socket.create_server(("127.0.0.1", engine.free_port())) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(engine, "PORTS", range(port, port + 1))
        with pytest.raises(engine.EngineError, match=f"none of the ports {port} to {port} is free"):
            engine.free_port()
    assert engine.free_port() == port
