"""The rig's end of the way: a webhook that keeps what Alertmanager sends, as the person who is told would get it."""

from __future__ import annotations

import dataclasses
import json
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Request:
    """One request as it arrived: when (unix time), path, headers with lower-case names, body."""

    at: float
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Notification:
    """One alert of one notification: when it arrived, its name, ``firing`` or ``resolved``, its labels."""

    at: float
    alertname: str
    status: str
    labels: dict[str, str]
    annotations: dict[str, str]
    group: int  # number of the notification it came with: one page holds all alerts of one group


@dataclass
class Sink:
    """A recording web server, on a free port of 127.0.0.1; ``status`` and ``text`` are what it answers with.

    ``GET /notifications`` answers what arrived as JSON, for whoever asks a sink that runs in a container.
    """

    status: int = 200
    text: str = "{}"
    host: str = "127.0.0.1"
    port: int = 0
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                body = self.rfile.read(length)
                headers = {name.lower(): value for name, value in self.headers.items()}
                sink.requests.append(Request(time.time(), self.path, headers, body))
                self._answer(sink.status, sink.text)

            def do_GET(self) -> None:
                found = [dataclasses.asdict(each) for each in sink.notifications()]
                self._answer(200, json.dumps(found))

            def _answer(self, status: int, text: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
                """Stay silent: what arrived is in ``requests``."""

        self._server = ThreadingHTTPServer((self.host, self.port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Return the address as seen from this machine."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def wait(self) -> None:
        """Stay until somebody closes it, or the process ends."""
        self._thread.join()

    def close(self) -> None:
        """Stop listening; what was recorded stays."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def notifications(self, alertname: str | None = None, *, since: float = 0.0) -> list[Notification]:
        """Return the alerts of all webhook notifications in the order of their arrival, those of one name if given."""
        found = list(_alerts(self.requests))
        return [each for each in found if each.at >= since and alertname in {None, each.alertname}]


def _alerts(requests: Iterable[Request]) -> Iterable[Notification]:
    for number, request in enumerate(list(requests)):
        try:
            payload: dict[str, Any] = json.loads(request.body)
        except ValueError:
            continue  # not a notification; whoever looks for it finds it in `requests`
        for alert in payload.get("alerts", []):
            labels = alert["labels"]
            yield Notification(
                request.at, labels["alertname"], alert["status"], labels, alert.get("annotations", {}), number
            )


if __name__ == "__main__":  # in a container: listens on all its addresses until it is killed
    Sink(host="0.0.0.0", port=int(sys.argv[1])).wait()
