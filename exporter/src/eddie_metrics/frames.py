"""Between *event out* and a disk: a frame is a line of length, CRC-32 and payload, so that a torn one is seen."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

_HEAD = 18
"""Two numbers of eight hexadecimal digits, a space behind each."""


def frame(payload: bytes) -> bytes:
    """Frame a payload without line breaks."""
    return b"%08x %08x %b\n" % (len(payload), zlib.crc32(payload), payload)


def unframe(content: bytes) -> tuple[list[bytes], int]:
    """Answer the whole payloads of a file, and how many frames in it are torn or spoiled."""
    whole: list[bytes] = []
    torn = 0
    for line in content.split(b"\n"):
        payload = line[_HEAD:]
        if line[:_HEAD] == b"%08x %08x " % (len(payload), zlib.crc32(payload)):
            whole.append(payload)
        elif line:
            torn += 1
    return whole, torn


def write_durably(path: Path, content: bytes) -> None:
    """Put ``content`` in the place of a file, whole or not at all, also through a power cut. Raises OSError."""
    beside = path.with_suffix(".tmp")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)  # on a full disk what is half written stands in the way of the next try
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
