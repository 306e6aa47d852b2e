"""Ports are checked before anything starts, in both modes: who holds one is found out here, not in a log later."""

from __future__ import annotations

import contextlib
import errno
import socket
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from stack.model import StackError
from stack.settings import PORT_KEYS


def is_taken(address: str, port: int) -> bool:
    """Say whether something listens there; a port that only root may use is not taken."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.strip("[]"), port))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise StackError(f"EDDIE_BIND={address}: no interface of this machine has that address") from None
            return error.errno == errno.EADDRINUSE
    return False


def _listening_inodes(port: int, proc: Path) -> dict[str, int]:
    """Answer the sockets listening on `port`: inode to user id."""
    found: dict[str, int] = {}
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                found[fields[9]] = int(fields[7])
    return found


def _held(process: Path) -> set[str]:
    """Answer what a process has open; nothing of one that is another user's, or gone meanwhile."""
    held: set[str] = set()
    with contextlib.suppress(OSError):
        for link in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                held.add(str(link.readlink()))
    return held


def process_on(port: int, proc: Path = Path("/proc")) -> str | None:
    """Name the process that listens on `port`, None when nothing on this host does or it cannot be told."""
    inodes = _listening_inodes(port, proc)
    for folder in proc.iterdir() if inodes else ():
        if folder.name.isdecimal() and _held(folder) & {f"socket:[{inode}]" for inode in inodes}:
            with contextlib.suppress(OSError):
                return f"process {folder.name} ({(folder / 'comm').read_text().strip()})"
    return next((f"a process of user id {uid}" for uid in inodes.values()), None)


def container_on(port: int) -> str | None:
    """Name the container that publishes `port`, None when none does or no engine answers."""
    command = ["docker", "ps", "--filter", f"publish={port}", "--format", "{{.Names}}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    names = done.stdout.split()
    return f"container {names[0]}" if done.returncode == 0 and names else None


def check(
    ports: Mapping[str, int],
    bind: str,
    *,
    ours: Iterable[str] = (),
    keys: Mapping[str, str] = PORT_KEYS,
    taken: Callable[[str, int], bool] = is_taken,
    owners: Iterable[Callable[[int], str | None]] = (container_on, process_on),
) -> None:
    """Raise StackError naming each port that is taken, who holds it, and the key that gives us another.

    `bind` is where the exporter is published, the others are on loopback. `ours` are the services of this stack that
    already run: their ports are taken by themselves. `keys` names the setting of each service's port.
    """
    owners, lines = list(owners), []
    for service, port in ports.items():
        address = bind if service == "exporter" else "127.0.0.1"
        if service in ours or not taken(address, port):
            continue
        holder = next((name for name in (ask(port) for ask in owners) if name), "somebody who cannot be named")
        lines.append(
            f"port {port} for {service}: expected it free, but {holder} has it; "
            f"stop that, or set {keys[service]} to another port in .env"
        )
    if lines:
        raise StackError("\n".join(lines))
