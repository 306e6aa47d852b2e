from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from stack import table
from stack.model import Context, ServiceRow


@contextmanager
def alertmanager(*receivers: str) -> Iterator[int]:
    """Answer /api/v2/receivers on a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps([{"name": name} for name in receivers]).encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def stack(port: int) -> Context:
    """Answer a stack whose Alertmanager is on this port."""
    return Context(Path("/c"), {}, Path("/c/.run"), Path("/c/secrets"), {"alertmanager": port}, print)


def test_columns_stand_under_each_other() -> None:
    """Every column begins where its head begins, whatever the words' lengths; no line ends in blanks."""
    rows = [
        ServiceRow("exporter", "http://127.0.0.1:8503", "ready", "0.1.0"),
        ServiceRow("x", "", "left out", note="why"),
    ]
    head, first, second = table.table(rows)
    assert first.index("ready") == second.index("left out") == head.index("state")
    assert first.index("http") == head.index("address")
    assert second.endswith("why")
    assert first == first.rstrip()


def test_places_of_secrets_are_said_only_when_made() -> None:
    """The first run says where its secrets lie, later ones say nothing."""
    assert table.made_secrets([Path("/c/secrets/grafana/admin_password")], Path("/c")) == [
        "made secrets, readable by you and the stack: secrets/grafana/admin_password"
    ]
    assert table.made_secrets([], Path("/c")) == []


def test_nobody_is_told_is_said_until_somebody_is() -> None:
    """The marker receiver means nobody; a person's receiver ends the warning."""
    with alertmanager("inbox", "nobody-is-told") as port:
        assert any(line.startswith("NOBODY IS TOLD") for line in table.closing(stack(port), []))
    with alertmanager("inbox", "slack") as port:
        assert table.closing(stack(port), []) == []


def test_an_alertmanager_that_does_not_answer_tells_nobody() -> None:
    """Silence is not taken for somebody being told."""
    with alertmanager() as port:
        pass
    assert table.nobody_is_told(stack(port))


def test_grafanas_password_has_a_place_only_with_grafana() -> None:
    """Where Grafana is left out no password is offered."""
    with alertmanager("slack") as port:
        assert table.closing(stack(port), [ServiceRow("grafana", "", "left out")]) == []
        lines = table.closing(stack(port), [ServiceRow("grafana", "", "ready")])
    assert lines == ["Grafana: user admin, password in /c/secrets/grafana/admin_password"]


def test_who_is_not_well_is_shown_with_its_last_words() -> None:
    """A service that starts again and again is no silent loop: why it ends stands below the table."""
    rows = [ServiceRow("exporter", "", "unready"), ServiceRow("prometheus", "", "starting")]
    said = table.complaints(
        rows, {"exporter": ["the store is corrupt", "make start-fresh"], "prometheus": []}.__getitem__
    )
    assert said == [
        "exporter is unready; its last words:",
        "  the store is corrupt",
        "  make start-fresh",
        "prometheus is starting; its last words:",
        "  (none)",
    ]


def test_who_is_well_is_not_asked_for_words() -> None:
    """Negative twin: nothing is read, and nothing said, of a service that is ready or left out."""
    rows = [ServiceRow("exporter", "", "ready"), ServiceRow("grafana", "", "left out")]
    assert table.complaints(rows, dict[str, list[str]]().__getitem__) == []


def test_log_lines_are_written_for_a_person() -> None:
    """The same words at another moment are said once, without what only machines read; other programs' lines stay."""
    wrong = '\x1b[2K{{"mistakes": ["EDDIE_X: no"], "event": "settings wrong", "level": "error", "timestamp": "{}"}}'
    said = table.plain([wrong.format(1), "ts=1 level=error msg=x", wrong.format(2), "", '{"no": "event"}', "[1]"])
    assert said == [
        "ts=1 level=error msg=x",
        "error: settings wrong (mistakes=['EDDIE_X: no'])",
        '{"no": "event"}',
        "[1]",
    ]
