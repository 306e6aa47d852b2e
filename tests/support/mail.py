"""A mail server of a few lines: takes what Alertmanager sends and keeps it, or refuses every recipient."""

from __future__ import annotations

import socketserver
import threading
from email import message_from_bytes
from email.message import Message
from typing import Self


class MailServer:
    """Speaks as much SMTP as a message needs, on a free port of 127.0.0.1; `refusal` is its answer to RCPT TO."""

    def __init__(self, refusal: str = "") -> None:
        self.messages: list[Message] = []
        server = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 test\r\n")
                while line := self.rfile.readline():
                    verb = line[:4].upper()
                    if verb == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        server.messages.append(message_from_bytes(self._text()))
                    elif verb == b"RCPT" and refusal:
                        self.wfile.write(f"{refusal}\r\n".encode())
                        continue
                    self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")

            def _text(self) -> bytes:
                text = b""
                while (line := self.rfile.readline()) not in {b".\r\n", b""}:
                    text += line
                return text

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Return host:port."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
