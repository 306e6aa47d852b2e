"""Tests' own: the browser of the tests does not hear that container networks come and go."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support import steady_chromium

OPENS = """import socket, sys
for family, kind, protocol in ((socket.AF_INET, socket.SOCK_STREAM, 0), (socket.AF_NETLINK, socket.SOCK_RAW, 0)):
    try:
        socket.socket(family, kind, protocol).close()
        print(family.name)
    except OSError as error:
        print(error.strerror)
"""
"""A program in Chromium's place that says which sockets it gets."""


def sockets(*command: str) -> list[str]:
    """Return what the program says, run by ``command``."""
    environment = {**os.environ, "CHROMIUM": sys.executable}
    done = subprocess.run([*command, "-c", OPENS], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_it_hears_nothing_and_gets_all_else() -> None:
    """No netlink socket, by which a program hears of networks; a socket for pages is there."""
    if platform.machine() not in steady_chromium.SOCKET:
        pytest.skip(f"no filter is known for {platform.machine()}: the browser runs without one")
    assert sockets(sys.executable, str(Path(steady_chromium.__file__))) == [
        "AF_INET",
        "Address family not supported by protocol",
    ]


def test_another_program_would_hear() -> None:
    """Negative twin: without the filter the same program gets both."""
    assert sockets(sys.executable) == ["AF_INET", "AF_NETLINK"]
