"""The second source of a program: its project's release archive, taken only when its published SHA-256 matches."""

from __future__ import annotations

import hashlib
import http.client
import ipaddress
import os
import platform
import queue
import re
import shutil
import tarfile
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stack.tools_model import Found, Program, SourceError
from stack.tools_path import check_grafana_home, new_enough

ANSWER_WITHIN = 5.0
"""Seconds until a source has to have answered, name lookup and proxy included."""
STALL_SECONDS, STALL_BYTES = 30.0, 256 * 1024
"""A download that brings less than this in any such window is given up: hours of waiting are not a start."""
ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def from_release(program: Program, env: Mapping[str, str], tools: Path, silent: set[str]) -> Found:
    """Fetch, verify and unpack the pinned release into `tools`; raises SourceError with the reason otherwise.

    `silent` remembers addresses that gave no answer, so that two programs of one project cost 5 s, not 10.
    """
    base = env.get(program.releases_key, program.releases_url).rstrip("/")
    if not base:
        raise SourceError(f"release archive not asked ({program.releases_key} is empty)")
    arch = ARCHITECTURES.get(platform.machine().lower())
    if arch is None or platform.system() != "Linux":
        machine = f"{platform.system()} on {platform.machine()}"
        raise SourceError(f"no release archive for {machine} (expected Linux on amd64 or arm64)")
    host = urllib.parse.urlsplit(base).netloc
    if host in silent:
        raise SourceError(f"{host} did not answer a moment ago")
    names = {"version": program.pinned, "arch": arch}
    address = f"{base}/{program.archive.format(**names)}"
    try:
        wanted = published_sum(f"{base}/{program.sums.format(**names)}", address.rsplit("/", 1)[1])
        return _installed(program, address, wanted, tools)
    except SilentError:
        silent.add(host)
        raise


class SilentError(SourceError):
    """The source gave no answer in time, or no connection at all."""


def published_sum(address: str, filename: str) -> str:
    """Return the SHA-256 that stands for `filename` in a file of sums (or alone in it, as Grafana publishes it)."""
    with _opened(address) as response:
        text = str(response.read(1 << 20), "utf-8", "replace")
    for line in text.splitlines():
        digest, _, name = line.strip().partition(" ")
        if re.fullmatch(r"[0-9a-fA-F]{64}", digest) and name.strip().lstrip("*") in {"", filename}:
            return digest.lower()
    raise SourceError(f"{address}: expected the SHA-256 of {filename}, it is not in there")


def _installed(program: Program, address: str, wanted: str, tools: Path) -> Found:
    """Download and unpack beside the final place, check that it runs, then put it there in one rename."""
    final = tools / program.name / f"{program.pinned}-release"
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=final.parent, prefix=".release-") as scratch:
        archive = Path(scratch, "archive.tar.gz")
        _download(address, archive, wanted)
        unpacked = Path(scratch, "unpacked")
        _unpack(archive, unpacked)
        if program.name == "grafana":
            check_grafana_home(unpacked)
        version = new_enough(program, _binary(unpacked, program.binaries[0]))
        shutil.rmtree(final, ignore_errors=True)
        unpacked.rename(final)
    binaries = {name: str(_binary(final, name)) for name in program.binaries}
    home = str(final) if program.name == "grafana" else ""
    return Found(program.name, version, "release", address, binaries, home, wanted=program.pinned)


def _binary(folder: Path, name: str) -> Path:
    """Find a binary of an unpacked release: at its top, or in `bin/`."""
    for candidate in (folder / name, folder / "bin" / name):
        if candidate.is_file():
            return candidate
    raise SourceError(f"the release archive holds no {name}")


def _download(address: str, target: Path, wanted: str) -> None:
    """Write the archive to `target`; raises SourceError where it is cut short, too slow, or not what was published."""
    digest, size = hashlib.sha256(), 0
    with _opened(address) as response, target.open("wb") as out:
        length = response.headers.get("Content-Length")
        window, in_window = time.monotonic(), 0
        try:
            while chunk := response.read1(1 << 18):
                out.write(chunk)
                digest.update(chunk)
                size, in_window = size + len(chunk), in_window + len(chunk)
                if time.monotonic() - window > STALL_SECONDS:
                    if in_window < STALL_BYTES:
                        raise SourceError(f"{address}: gave up, {in_window} bytes in {STALL_SECONDS:.0f} s")
                    window, in_window = time.monotonic(), 0
        except (OSError, http.client.HTTPException) as error:
            raise SourceError(f"{address}: broke off after {size} bytes ({error})") from error
    if length is not None and size != int(length):
        raise SourceError(f"{address}: cut short, expected {length} bytes, got {size}")
    if digest.hexdigest() != wanted:
        got = digest.hexdigest()
        raise SourceError(f"{address}: wrong SHA-256, published {wanted}, got {got}; nothing of it was kept")


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack without the archive's top folder; what would land outside the folder, or is no file, is refused."""
    folder.mkdir()
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                _, _, member.name = member.name.removeprefix("./").partition("/")
                if member.islnk():
                    _, _, member.linkname = member.linkname.removeprefix("./").partition("/")
                if member.name:
                    _extract(tar, member, folder)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise SourceError(f"the archive cannot be unpacked ({error})") from error


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Extract one member with tarfile's data filter, or the same refusals where Python has none yet (before 3.11.4)."""
    if hasattr(tarfile, "data_filter"):
        tar.extract(member, folder, filter="data")
        return
    points = {member.name} | ({member.linkname} if member.islnk() else set())
    if member.issym():
        points.add(f"{Path(member.name).parent}/{member.linkname}")
    inside = folder.resolve()
    if any(Path(point).is_absolute() or not (inside / point).resolve().is_relative_to(inside) for point in points):
        raise tarfile.TarError(f"{member.name} leads out of the archive's folder")
    if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
        raise tarfile.TarError(f"{member.name} is neither file, folder nor link")
    member.uid, member.gid, member.uname, member.gname = os.getuid(), os.getgid(), "", ""
    tar.extract(member, folder)


def _opened(address: str) -> Any:
    """Open an address; raises SilentError when nothing answered within 5 s.

    In a thread, because neither a name lookup nor a server that sends its headers one by one obeys a socket's timeout.
    """
    answers: queue.Queue[Any] = queue.Queue()
    threading.Thread(target=_ask, args=(address, answers.put), daemon=True).start()
    host = urllib.parse.urlsplit(address).netloc
    try:
        answer = answers.get(timeout=ANSWER_WITHIN)
    except queue.Empty:
        raise SilentError(f"{host} did not answer within {ANSWER_WITHIN:.0f} s") from None
    if isinstance(answer, urllib.error.HTTPError):
        answer.close()
        raise SourceError(f"{address}: expected 200, got {answer.code}")
    if isinstance(answer, Exception):
        reason = getattr(answer, "reason", answer)
        raise SilentError(f"{host} cannot be reached ({reason})")
    return answer


def _ask(address: str, put: Callable[[Any], None]) -> None:
    """Ask an address through the caller's proxy, except on loopback, and hand over the answer or the error."""
    host = urllib.parse.urlsplit(address).hostname or ""
    handlers = [urllib.request.ProxyHandler({})] if is_loopback(host) else []
    try:
        put(urllib.request.build_opener(*handlers).open(address, timeout=ANSWER_WITHIN))
    except (OSError, ValueError, http.client.HTTPException) as error:
        put(error)


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
