"""The real process: it exits and says why, ends soon and well, logs JSON, and lets no connection wait."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.support.eventually import eventually
from tests.support.exporters import Running, get, running, start

EVENT = b'{"agent_id":"a1","reason":"deadline"}'


def ended(folder: Path, **env: str) -> tuple[int, str]:
    """Start an exporter that is expected to end by itself; answer its exit code and its log."""
    log = folder / "exporter.log"
    with log.open("wb") as written:
        code = start(written, **{"EDDIE_DOCKER": "false", "EDDIE_PORT": "0", **env}).wait(30)
    return code, log.read_text("utf-8").strip()


@pytest.fixture
def exporter(tmp_path: Path) -> Iterator[Running]:
    """Answer a running exporter."""
    with running(tmp_path) as found:
        yield found


def connection(exporter: Running) -> http.client.HTTPConnection:
    """Open a connection of our own, past every proxy."""
    return http.client.HTTPConnection(str(urlsplit(exporter.url).netloc), timeout=20)


def post(exporter: Running, body: bytes, **headers: str) -> int:
    """Post an event on a connection of its own."""
    with contextlib.closing(connection(exporter)) as link:
        link.request(
            "POST", "/events/timeout", body, {name.replace("_", "-"): value for name, value in headers.items()}
        )
        answer = link.getresponse()
        answer.read()
        return answer.status


def test_wrong_settings_exit_78_and_name_every_mistake(tmp_path: Path) -> None:
    """Two mistakes are in one line of JSON, and nothing is served."""
    code, log = ended(tmp_path, EDDIE_PORT="x", EDDIE_HISTORY_EVENTS="0")
    assert code == 78
    mistakes = json.loads(log)["mistakes"]
    assert [mistake.partition(":")[0] for mistake in mistakes] == ["EDDIE_PORT", "EDDIE_HISTORY_EVENTS"]


@pytest.mark.parametrize("content", [None, "", "a b c\n"])
def test_a_bad_token_file_exits_78(tmp_path: Path, content: str | None) -> None:
    """Missing, empty or spoilt, a configured token file stops the start: it never fails open."""
    token = tmp_path / "token"
    if content is not None:
        token.write_text(content)
    code, log = ended(tmp_path, EDDIE_INGEST_TOKEN_FILE=str(token))
    assert code == 78
    assert "EDDIE_INGEST_TOKEN_FILE" in json.loads(log.splitlines()[-1])["mistakes"][0]


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    """A port that somebody has is named, and it is no 78: nothing in the settings is wrong."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, log = ended(tmp_path, EDDIE_PORT=str(port))
    said = json.loads(log.splitlines()[-1])
    assert (code, said["port"], "EDDIE_PORT" in said["event"]) == (1, port, True)


def test_sigterm_ends_well_and_soon(exporter: Running) -> None:
    """With a connection open and idle the exporter ends in under two seconds, with exit code 0."""
    with contextlib.closing(connection(exporter)) as link:
        link.request("GET", "/health")
        link.getresponse().read()
        began = time.monotonic()
        assert exporter.stop() == 0
        assert time.monotonic() - began < 2
    assert json.loads(exporter.lines()[-1])["event"] == "stopped"


def test_a_request_under_way_is_answered_before_the_end(exporter: Running) -> None:
    """An event whose body is still coming when SIGTERM does is counted and answered."""
    with contextlib.closing(connection(exporter)) as link:
        link.putrequest("POST", "/events/timeout")
        link.putheader("Content-Length", str(len(EVENT)))
        link.endheaders(EVENT[:10])
        exporter.process.terminate()

        def refuses() -> None:
            with contextlib.closing(connection(exporter)) as other:
                assert other.sock is None
                with contextlib.suppress(ConnectionRefusedError):
                    other.connect()
                assert other.sock is None, "expected no new connections, got one"

        eventually(refuses, within=5)
        link.send(EVENT[10:])
        answer = link.getresponse()
        assert (answer.status, json.loads(answer.read())["accepted"]) == (202, 1)
    assert exporter.process.wait(10) == 0


def test_the_log_is_json_and_no_sender_writes_in_it(exporter: Running) -> None:
    """Every line is JSON, whatever was sent: line breaks, escapes of a terminal, and what is no HTTP at all."""
    for noise in (b"\x1b[31mGET / HTTP/9\r\n\r\n", b"GET /\x1b[2J\n HTTP/1.1\r\n\r\n", b"\x00" * 100 + b"\r\n\r\n"):
        host, port = str(urlsplit(exporter.url).hostname), int(urlsplit(exporter.url).port or 0)
        with socket.create_connection((host, port), timeout=10) as link:
            link.sendall(noise)
            link.recv(4096)
    assert post(exporter, b'{"agent_id":"\\u001b[31m\\n","reason":"r"}') == 422
    exporter.stop()
    assert all(isinstance(json.loads(line), dict) for line in exporter.lines())
    assert "\x1b" not in exporter.log.read_text("utf-8")


def test_no_server_header(exporter: Running) -> None:
    """The answer does not say what serves it."""
    with contextlib.closing(connection(exporter)) as link:
        link.request("GET", "/health")
        answer = link.getresponse()
        assert (answer.status, answer.getheader("server")) == (200, None)


def test_requests_on_a_kept_connection_do_not_wait(exporter: Running) -> None:
    """A hundred events on one connection take far less than the 40 ms each that a delayed acknowledgement costs."""
    with contextlib.closing(connection(exporter)) as link:
        began = time.monotonic()
        for _ in range(100):
            link.request("POST", "/events/timeout", EVENT)
            answer = link.getresponse()
            assert (answer.status, answer.read()) == (202, b'{"accepted":1,"duplicates":0}')
        assert time.monotonic() - began < 2


def test_large_bodies_are_refused_and_the_exporter_goes_on(exporter: Running) -> None:
    """A body too large, and one that unpacks to too much, are 413 over a real socket; the next event is counted."""
    bomb = gzip.compress(b" " * (64 * 2**20))
    assert post(exporter, b" " * (8 * 2**20 + 1)) == 413
    assert post(exporter, bomb, Content_Encoding="gzip") == 413
    assert post(exporter, EVENT) == 202
    assert 'timeout_events_total{agent_id="a1",reason="deadline"} 1.0' in get(f"{exporter.url}/metrics")


def test_a_sender_that_hangs_up_is_no_fault(exporter: Running) -> None:
    """Half a body and then nothing is no error of ours, and counts nothing."""
    host, port = str(urlsplit(exporter.url).hostname), int(urlsplit(exporter.url).port or 0)
    with socket.create_connection((host, port), timeout=10) as link:
        link.sendall(b"POST /events/timeout HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")

    def refused() -> None:
        assert 'eddie_events_rejected_total{reason="disconnected"} 1.0' in get(f"{exporter.url}/metrics")

    eventually(refused, within=5)
    assert [line for line in exporter.lines() if '"level": "error"' in line] == []
