"""A way to the exporter that loses replies (the request arrives, the answer does not), or everything: a partition."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Iterator


class Swallower:
    """Listens on a port of its own; of each reply it swallows a share, and ends the connection instead."""

    def __init__(self, port: int, share: float, seed: int = 1) -> None:
        """``port`` is the exporter's; ``share`` (0 to 1) of the replies are lost."""
        self._server = port
        self._share = share
        self._random = random.Random(seed)  # noqa: S311  (no secret)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.swallowed = 0
        self.silent = False
        """While True nothing passes and nothing is ended: what a partition looks like."""

    def start(self) -> None:
        """Begin to pass on."""
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """Take no more connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._server), timeout=10)
                except OSError:
                    client.close()
                    continue
                threading.Thread(target=self._there, args=(client, server), daemon=True).start()
                threading.Thread(target=self._back, args=(server, client), daemon=True).start()

    def _there(self, client: socket.socket, server: socket.socket) -> None:
        cut = False
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                cut = cut or self.silent  # a connection that has lost a byte never speaks again
                if not cut:
                    server.sendall(data)
        self._end(client, server)

    def _back(self, server: socket.socket, client: socket.socket) -> None:
        # A reply to an event is far smaller than a segment: what arrives is one whole reply.
        cut = False
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                cut = cut or self.silent
                if cut:
                    continue
                if self._random.random() < self._share:
                    self.swallowed += 1
                    break
                client.sendall(data)
        self._end(client, server)

    def _end(self, *ended: socket.socket) -> None:
        for one in ended:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@contextlib.contextmanager
def swallowing(port: int, share: float) -> Iterator[Swallower]:
    """Run one until the block is left."""
    one = Swallower(port, share)
    one.start()
    try:
        yield one
    finally:
        one.stop()
