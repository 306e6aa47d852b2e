"""A mount namespace of this thread's own, and of the processes it starts.

Any container or sandbox that starts meanwhile would otherwise take a copy of a test's mount and keep it: the file
system would live on after ``umount``, shut down as it is, and mounting it again would bring back the dead one.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Iterator

CLONE_NEWNS = 0x00020000


def _call(name: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


@contextlib.contextmanager
def private_mounts() -> Iterator[None]:
    """Let what is mounted in the block be seen by this thread and its children only. Raises OSError."""
    folder = os.getcwd()  # noqa: PTH109  (a path of its own, which changing namespaces forgets)
    before = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call("unshare", CLONE_NEWNS)
        try:
            subprocess.run(["mount", "--make-rprivate", "/"], check=True, timeout=30)
            yield
        finally:
            _call("setns", before, CLONE_NEWNS)
            os.chdir(folder)
    finally:
        os.close(before)
