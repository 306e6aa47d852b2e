from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from stack import ports
from stack.model import StackError

PORTS = {"exporter": 8503, "prometheus": 9090}


@pytest.fixture
def listener() -> Iterator[int]:
    """Listen on a port in this very process."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def nobody(port: int) -> str | None:
    """Know no owner."""
    return None


def test_free_ports_pass() -> None:
    """Nothing is said when every port is free."""
    ports.check(PORTS, "127.0.0.1", taken=lambda *_: False)


def test_every_taken_port_is_named_with_owner_and_key() -> None:
    """All taken ports are told together: which, who has it, and which key gives another."""
    with pytest.raises(StackError) as caught:
        ports.check(PORTS, "127.0.0.1", taken=lambda *_: True, owners=[nobody, lambda port: f"process 7 (x{port})"])
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("port 8503 for exporter: expected it free, but process 7 (x8503) has it")
    assert "set EDDIE_PORT to another port" in lines[0]
    assert "set PROMETHEUS_PORT to another port" in lines[1]


def test_the_key_is_that_of_the_place_taken() -> None:
    """A board in Grafana's place has Grafana's port, and so the message names Grafana's key."""
    keys = {"board": "GRAFANA_PORT"}
    with pytest.raises(StackError, match=r"port 3000 for board: .* set GRAFANA_PORT to another port"):
        ports.check({"board": 3000}, "127.0.0.1", keys=keys, taken=lambda *_: True, owners=[nobody])
    with pytest.raises(StackError, match=r"port 8504 for board: .* set BOARD_PORT to another port"):
        ports.check({"board": 8504}, "127.0.0.1", taken=lambda *_: True, owners=[nobody])


def test_an_owner_that_hides_is_said_to() -> None:
    """A port of another user's process is refused as well, though its owner cannot be named."""
    with pytest.raises(StackError, match="somebody who cannot be named"):
        ports.check(PORTS, "127.0.0.1", taken=lambda *_: True, owners=[nobody])


def test_ports_of_the_running_stack_are_its_own() -> None:
    """`make up` on a running stack does not stumble over itself."""
    ports.check(PORTS, "127.0.0.1", ours=["exporter", "prometheus"], taken=lambda *_: True)


def test_only_the_exporter_is_published_elsewhere() -> None:
    """EDDIE_BIND moves the exporter's port alone; the others stay on loopback."""
    asked: list[tuple[str, int]] = []

    def taken(address: str, port: int) -> bool:
        asked.append((address, port))
        return False

    ports.check(PORTS, "192.0.2.1", taken=taken)
    assert asked == [("192.0.2.1", 8503), ("127.0.0.1", 9090)]


def test_a_listening_port_is_taken_and_its_process_named(listener: int) -> None:
    """A real listener is found, with the process that has it."""
    assert ports.is_taken("127.0.0.1", listener)
    assert ports.is_taken("0.0.0.0", listener)
    named = ports.process_on(listener)
    assert named is not None
    assert named.startswith(f"process {os.getpid()} (")


def test_a_closed_port_is_free() -> None:
    """A port nobody listens on any more is free at once."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert not ports.is_taken("127.0.0.1", port)
    assert ports.process_on(port) is None


def test_an_address_of_another_machine_is_refused() -> None:
    """EDDIE_BIND that no interface has is a mistake, not a taken port."""
    with pytest.raises(StackError, match=r"EDDIE_BIND=192\.0\.2\.1: no interface of this machine has that address"):
        ports.is_taken("192.0.2.1", 8503)
