"""Station "board": who is let in: this machine's own pages, by the board's own names, and only to read."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from tests.support.boards import UID, Board, standing
from tests.support.eventually import eventually
from tests.support.viewers import Loop, Viewer, looking_on
from websockets.exceptions import InvalidHandshake

from fleet.web import ask

WRITING = ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """Run a board on a stack that knows nothing yet."""
    with standing(tmp_path_factory.mktemp("board"), hours=0) as started:
        yield started


@pytest.fixture
def loop() -> Iterator[Loop]:
    """Give viewers a loop to live in."""
    made = Loop()
    yield made
    made.close()


def asked(board: Board, method: str, path: str, host: str | None = None) -> tuple[int, dict[str, str], str]:
    """Ask with a Host header of one's own; return status, headers in lower case and body."""
    where = urlsplit(board.url)
    connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=10)
    headers = {} if host is None else {"Host": host}
    connection.request(method, path, b"{}" if method in WRITING else None, headers)
    answer = connection.getresponse()
    said = {name.lower(): value for name, value in answer.getheaders()}
    body = answer.read().decode("utf-8", "replace")
    connection.close()
    return answer.status, said, body


def test_health_answers_as_grafanas_does(board: Board) -> None:
    """Whoever waits for Grafana at its address is told that this is the board, and that it is well."""
    answer = ask(f"{board.url}/api/health")
    assert answer.status == 200
    assert answer.json()["database"] == "ok"
    assert answer.json()["program"] == "eddie-board"
    assert answer.json()["version"]


def test_the_dashboard_is_at_grafanas_paths(board: Board) -> None:
    """Short address and the one with the title in it are pages; another uid is none, and `/` leads on."""
    assert ask(f"{board.url}/d/{UID}").status == 200
    assert ask(f"{board.url}/d/{UID}/distributed-fallback?orgId=1&viewPanel=panel-5&refresh=30s").status == 200
    assert ask(f"{board.url}/d/nobody-made-it").status == 404
    assert ask(f"{board.url}/").status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:3000", "127.0.0.1.evil.example", "localhost.evil", ""])
def test_another_name_is_refused(board: Board, host: str) -> None:
    """A page that was brought here under another name (DNS rebinding) gets nothing, whatever it asks for."""
    for path in (f"/d/{UID}", "/api/health", "/"):
        status, _, body = asked(board, "GET", path, host)
        assert status in {400, 403, 421}, f"expected a refusal of {host!r}, got {status}"
        assert "Distributed" not in body


def test_its_own_names_are_let_in(board: Board) -> None:
    """Negative twin: by loopback's names it answers."""
    port = urlsplit(board.url).port
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"):
        assert asked(board, "GET", "/api/health", host)[0] == 200


@pytest.mark.parametrize("method", WRITING)
def test_there_is_nothing_to_write(board: Board, method: str) -> None:
    """No method that could change anything is answered with success, on any of its paths."""
    for path in (
        "/",
        f"/d/{UID}",
        "/api/health",
        "/api/dashboards/db",
        "/_nicegui_ws/socket.io/?EIO=4&transport=polling",
    ):
        assert asked(board, method, path)[0] in {403, 404, 405}


def test_headers_are_strict(board: Board) -> None:
    """No frame, no guessing of types, no address handed on, and nothing from anywhere else."""
    _, headers, _ = asked(board, "GET", f"/d/{UID}")
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert "'unsafe-inline'" not in policy["script-src"]
    assert "http" not in headers["content-security-policy"], "expected no other origin to be allowed"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert not any(name.startswith("access-control-allow") for name in headers)
    assert "uvicorn" not in headers.get("server", "")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://127.0.0.1:1"])
def test_another_sites_websocket_is_refused(board: Board, loop: Loop, origin: str) -> None:
    """A page of another site in a reader's browser cannot read the fleet through the websocket."""
    viewer = Viewer(board, origin)
    with pytest.raises(InvalidHandshake):
        loop.run(viewer.open(board.page()))
    loop.run(viewer.close())
    assert viewer.messages == 0


def test_its_own_pages_websocket_is_served(board: Board) -> None:
    """Negative twin: the board's own page is connected, and gets what changes."""
    with looking_on(board, 1) as (viewer,):

        def served() -> None:
            assert viewer.messages > 0

        eventually(served, within=60)


def test_it_listens_on_loopback_only(board: Board) -> None:
    """Nobody but this machine reaches it: its port is bound to 127.0.0.1 and to nothing else."""
    listening = f"{urlsplit(board.url).port:04X}"
    with open("/proc/net/tcp", encoding="ascii") as table:  # noqa: PTH123 - a table of the kernel's
        bound = [line.split()[1] for line in table if line.split()[3] == "0A" and line.split()[1].endswith(listening)]
    assert bound == [f"0100007F:{listening}"]
