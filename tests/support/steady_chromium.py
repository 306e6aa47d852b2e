#!/usr/bin/env python3
"""Become Chromium, kept from hearing that this machine's networks change: CHROMIUM names the program.

Whenever an address comes or goes, a container's network included, Chromium gives up every request that waits for a
connection, also to 127.0.0.1 (net::ERR_NETWORK_CHANGED), and no switch of it turns that off. Here it has no netlink
socket to hear of it: it then takes the networks as they are, once and for all. A filter of system calls needs no
rights; where none is known for the machine, Chromium runs as it is.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

SOCKET = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""How the kernel calls an architecture, and its number of socket(2)."""

LOAD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
NUMBER, ARCHITECTURE, FAMILY, PROTOCOL = 0, 4, 16, 32
"""Where things stand in what a filter is given (struct seccomp_data): FAMILY and PROTOCOL are arguments 0 and 2."""

AF_NETLINK, NETLINK_ROUTE = 16, 0
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EAFNOSUPPORT
PR_SET_SECCOMP, FILTER, PR_SET_NO_NEW_PRIVS = 22, 2, 38


class Program(ctypes.Structure):
    """The kernel's struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def refusing_netlink(architecture: int, socket: int) -> bytes:
    """Return the filter: socket(AF_NETLINK, …, NETLINK_ROUTE) finds no such family, and all else is allowed."""
    questions = ((ARCHITECTURE, architecture), (NUMBER, socket), (FAMILY, AF_NETLINK), (PROTOCOL, NETLINK_ROUTE))
    code = b""
    for at, (place, wanted) in enumerate(questions):
        after = 2 * (len(questions) - at - 1) + 1  # to the last line, past the questions left and the refusal
        code += struct.pack("=HBBI", LOAD, 0, 0, place) + struct.pack("=HBBI", JUMP_EQUAL, 0, after, wanted)
    return code + struct.pack("=HBBI", RETURN, 0, 0, REFUSE) + struct.pack("=HBBI", RETURN, 0, 0, ALLOW)


def stop_listening() -> None:
    """Put the filter on this process and all it becomes and starts; raises OSError where the kernel refuses."""
    if platform.machine() not in SOCKET:
        return
    code = refusing_netlink(*SOCKET[platform.machine()])
    libc = ctypes.CDLL(None, use_errno=True)
    program = ctypes.byref(Program(len(code) // 8, code))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, FILTER, program, 0, 0):
        raise OSError(ctypes.get_errno(), "expected a filter of system calls to be taken")


if __name__ == "__main__":
    stop_listening()
    os.execv(os.environ["CHROMIUM"], [os.environ["CHROMIUM"], *sys.argv[1:]])  # noqa: S606 - there is no shell
