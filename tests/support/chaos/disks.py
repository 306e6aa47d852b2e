"""Disks that lose power: a file system in a file, mounted by loop, shut down without its log being written."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.chaos.mounts import private_mounts
from tests.support.eventually import eventually

SIZE_BYTES = 320 * 2**20
"""The least that mkfs.xfs takes is 300 MB; the file is sparse."""


_GOING_DOWN = 0x8004587D
"""The request that ``xfs_io -x -c shutdown`` makes: XFS_IOC_GOINGDOWN, which ext4 understands too."""
_WITHOUT_THE_LOG = 2


class DiskError(Exception):
    """A disk could not be made, mounted or cut; the message is the program's own."""


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise DiskError(f"{' '.join(command)}: {done.stdout}{done.stderr}")


def missing(kind: str) -> str | None:
    """Say what a power cut on a file system of this kind lacks here, or None."""
    if os.geteuid() != 0:
        return "power cuts need root (mount)"
    for program in (f"mkfs.{kind}", "mount", "umount"):
        if shutil.which(program) is None:
            return f"power cuts on {kind} need {program} (packages e2fsprogs, xfsprogs)"
    if not Path("/dev/loop-control").exists():
        return "power cuts need loop devices"
    return None


class Disk:
    """One file system in a file."""

    def __init__(self, folder: Path, kind: str, size: int = SIZE_BYTES) -> None:
        self._image = folder / f"{kind}.img"
        self.kind = kind
        self.place = folder / f"on-{kind}"
        self._size = size
        self._mounted = False

    def make(self) -> None:
        """Make the file system and mount it."""
        self.place.mkdir()
        with self._image.open("wb") as image:
            image.truncate(self._size)
        _run(f"mkfs.{self.kind}", "-q", str(self._image))
        self._mount()

    def _mount(self) -> None:
        _run("mount", "-o", "loop", str(self._image), str(self.place))
        self._mounted = True

    def cut(self, process: subprocess.Popen[bytes]) -> None:
        """Cut the power of disk and process: what was not synced never reaches the disk, and nobody speaks any more.

        Both at once, as when a machine loses power: a process that lived on would go on to answer, and ext4 tells
        it that a sync which overlaps the end was good (12 of 60 cuts here, with nothing but SQLite).
        """
        place = os.open(self.place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            process.kill()
            fcntl.ioctl(place, _GOING_DOWN, struct.pack("I", _WITHOUT_THE_LOG))
        finally:
            os.close(place)
        process.wait(10)

    def power_on(self) -> None:
        """Mount again, which runs the file system's own recovery. No process may have a file open there."""
        self._unmount()
        self._mount()

    def _unmount(self) -> None:
        def unmount() -> None:
            done = subprocess.run(["umount", str(self.place)], capture_output=True, text=True, check=False, timeout=60)
            assert done.returncode == 0, done.stderr

        eventually(unmount, within=30, every=0.02)
        self._mounted = False

    def remove(self) -> None:
        """Unmount and delete."""
        if self._mounted:
            self._unmount()
        self._image.unlink(missing_ok=True)


@contextlib.contextmanager
def lent(folder: Path, kind: str, size: int = SIZE_BYTES) -> Iterator[Disk]:
    """Give a disk until the block is left. Raises DiskError or OSError where there can be none."""
    one = Disk(folder, kind, size)
    with private_mounts():
        try:
            one.make()
            yield one
        finally:
            one.remove()


@contextlib.contextmanager
def disk(folder: Path, kind: str, size: int = SIZE_BYTES) -> Iterator[Disk]:
    """Give a disk until the block is left; skips the test, with the reason, where there can be none."""
    lacks = missing(kind)
    if lacks is not None:
        pytest.skip(lacks)
    with contextlib.ExitStack() as stack:
        try:
            one = stack.enter_context(lent(folder, kind, size))
        except (DiskError, OSError) as error:
            pytest.skip(f"no loop-mounted {kind} here: {error}")
        yield one


def fill(place: Path) -> Path:
    """Take every free byte of a file system; answers the file to delete when there is to be space again."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as written:
        for step in (2**20, 4096, 1):
            with contextlib.suppress(OSError):
                while written.write(b"\1" * step):
                    pass
        with contextlib.suppress(OSError):
            os.fsync(written.fileno())
    return ballast
