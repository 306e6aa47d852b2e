"""A project's release server on loopback: archives of programs that only say their version, and every way to fail."""

from __future__ import annotations

import hashlib
import io
import platform
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from stack.tools_model import Program
from stack.tools_release import ARCHITECTURES

ARCH = ARCHITECTURES[platform.machine().lower()]


def says(name: str, version: str) -> bytes:
    """Make a program that says its version as Prometheus's programs do, and nothing else."""
    return f'#!/bin/sh\necho "{name}, version {version} (branch: HEAD)"\n'.encode()


def packed(members: Mapping[str, bytes]) -> bytes:
    """Pack a .tar.gz with these files, all executable, under exactly these names."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o755
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def archive(program: Program, version: str = "", binaries: Mapping[str, bytes] | None = None) -> bytes:
    """Make a release archive as the project packs it: everything below one folder."""
    files = binaries or {name: says(name, version or program.pinned) for name in program.binaries}
    return packed({f"{program.name}-{program.pinned}.linux-{ARCH}/{name}": content for name, content in files.items()})


@dataclass
class Releases:
    """What the server answers, by path, and what it was asked."""

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)
    """Paths whose answer breaks off in the middle."""
    silent: set[str] = field(default_factory=set)
    """Paths that get no answer at all."""
    dripping: set[str] = field(default_factory=set)
    """Paths whose headers come one by one, for ever."""
    asked: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def publish(self, program: Program, content: bytes, digest: str | None = None) -> str:
        """Put an archive and its file of sums there; returns the archive's path."""
        names = {"version": program.pinned, "arch": ARCH}
        path = f"/{program.archive.format(**names)}"
        digest = digest or hashlib.sha256(content).hexdigest()
        self.files[path] = content
        sums = f"/{program.sums.format(**names)}"
        alone = sums.endswith(".sha256")
        self.files[sums] = (
            f"{digest}\n".encode() if alone else f"{'0' * 64}  other.tar.gz\n{digest}  {Path(path).name}\n".encode()
        )
        return path


def _handler(releases: Releases) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.removeprefix("http://releases.invalid")  # asked as a proxy
            releases.asked.append(self.path)
            if path in releases.silent:
                releases.over.wait()
                return
            if path in releases.dripping:
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                while not releases.over.wait(0.1):
                    self.wfile.write(b"X-Drip: 1\r\n")
                return
            content = releases.files.get(path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            if content is not None:
                self.wfile.write(content[: len(content) // 2] if path in releases.cut else content)

        def log_message(self, *args: object) -> None:
            """Keep the test's output clean."""

    return Handler


@contextmanager
def released() -> Iterator[Releases]:
    """Run a release server."""
    releases = Releases("")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(releases))
    server.daemon_threads = True
    releases.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield releases
    finally:
        releases.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
