"""An exporter that answers what a test wrote down, then 202; it keeps every request, and what it took."""

from __future__ import annotations

import contextlib
import gzip
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, Mapping[str, Any], Mapping[str, str]]
"""Status, body, headers."""


@dataclass(frozen=True)
class Request:
    """One try, as it arrived."""

    body: bytes
    headers: dict[str, str]

    @property
    def envelope(self) -> dict[str, Any]:
        """Its body, read."""
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found

    @property
    def identity(self) -> tuple[str, int, int]:
        """Producer, epoch and seq."""
        said = self.envelope
        return said["producer"], said["epoch"], said["seq"]

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events in it."""
        found = self.envelope["events"]
        assert isinstance(found, list)
        return found


@dataclass
class Scripted:
    """``answers`` are given first, each once, in their order; ``judge`` is asked behind them."""

    port: int = 0
    answers: list[Answer] = field(default_factory=list)
    judge: Callable[[Request], Answer | None] = lambda _: None
    requests: list[Request] = field(default_factory=list)
    taken: list[Request] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def events(self) -> list[dict[str, Any]]:
        """Answer all events that were taken."""
        return [event for request in list(self.taken) for event in request.events]

    def dropped(self) -> dict[str, int]:
        """Answer what the batches that were taken told of drops."""
        told: dict[str, int] = {}
        for request in list(self.taken):
            for reason, count in request.envelope.get("dropped", {}).items():
                told[reason] = told.get(reason, 0) + count
        return told

    def answer(self, request: Request) -> Answer:
        """Decide, and keep the request."""
        self.requests.append(request)
        found = self.answers.pop(0) if self.answers else self.judge(request)
        if found is not None and found[0] != 202:
            return found
        known = any(one.identity == request.identity for one in self.taken)
        if not known:
            self.taken.append(request)
        count = len(request.events)
        return found or (202, {"accepted": 0 if known else count, "duplicates": count if known else 0}, {})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script: Scripted

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        headers = {key.lower(): value for key, value in self.headers.items()}
        status, said, more = self.script.answer(Request(body, headers))
        content = json.dumps(said).encode()
        self.send_response(status)
        for key, value in {**more, "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def scripted(*answers: Answer, tls: ssl.SSLContext | None = None) -> Iterator[Scripted]:
    """Run one until the block is left, behind TLS where a context for it is given."""
    script = Scripted(answers=list(answers))
    handler = type("Handler", (_Handler,), {"script": script})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        script.port = server.server_address[1]
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield script
        finally:
            server.shutdown()
            thread.join(5)
