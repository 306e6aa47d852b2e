"""The stack's secrets are files; this makes those that are missing, and changes none that exists.

`secrets/` is 0700: on the host only its owner passes. Inside it each service has a directory (0755, files 0444),
mounted read-only as a directory, so that a container of any user reads its own and sees a file that was replaced.
Runs in the checkout (`make up`) and, as a script, in the one-shot `init` service of a bare `docker compose up`.
(Not named `secrets.py`: run as a script, that would hide the standard library's module.)
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

SERVICES = ("exporter", "prometheus", "alertmanager", "grafana")
LOCAL = ("rules", "targets", "scrape", "dashboards")
"""Folders of the user's additions that programs watch; one that is missing is an error line in a log."""

MADE = {
    "exporter/ingest_token": None,
    "exporter/alerts_token": "alertmanager/alerts_token",
    "exporter/read_token": "prometheus/read_token",
    "grafana/admin_password": None,
    "grafana/secret_key": None,
}
"""What is always made, and the twin that another service sends it with."""


def owner(checkout: Path, environ: Mapping[str, str]) -> tuple[int, int] | None:
    """Answer whose the files shall be (uid, gid): after `sudo` the caller's, else the checkout's; None: as they are."""
    if os.geteuid() != 0:
        return None
    if environ.get("SUDO_UID", "").isdecimal() and environ.get("SUDO_GID", "").isdecimal():
        return int(environ["SUDO_UID"]), int(environ["SUDO_GID"])
    status = checkout.stat()
    return status.st_uid, status.st_gid


def give(path: Path, to: tuple[int, int] | None, mode: int | None = None) -> None:
    """Set mode and owner where they differ; where the kernel forbids it, the file is somebody's choice and stays."""
    with contextlib.suppress(PermissionError):
        status = path.stat()
        if mode is not None and status.st_mode & 0o777 != mode:
            path.chmod(mode)
        if to is not None and (status.st_uid, status.st_gid) != to:
            os.chown(path, *to)


def ensure(folder: Path, to: tuple[int, int] | None) -> list[Path]:
    """Make the secrets that are missing in `folder`, set all modes and owners; answer the files that were made."""
    folder.mkdir(parents=True, exist_ok=True)
    give(folder, to, 0o700)
    for service in SERVICES:
        (folder / service).mkdir(exist_ok=True)
        give(folder / service, to, 0o755)
    made: list[Path] = []
    for name, twin in MADE.items():
        if _write(folder / name, secrets.token_urlsafe(32)):
            made.append(folder / name)
        if twin is not None:
            _twin(folder / name, folder / twin)
    for service in SERVICES:
        for path in (folder / service).iterdir():
            if path.is_file():
                give(path, to, 0o444)
    return made


def _write(path: Path, content: str) -> bool:
    """Put `content` there if nothing, or an empty file, is; by rename, so that nobody ever reads half of it."""
    if path.is_file() and path.read_text("utf-8").strip():
        return False
    part = path.with_name(f".{path.name}.part")
    part.write_text(f"{content}\n", "utf-8")
    part.chmod(0o444)
    part.replace(path)
    return True


def _twin(source: Path, twin: Path) -> None:
    """Give the sender the token its receiver asks for: the last word of the first line."""
    lines = [line.split() for line in source.read_text("utf-8").splitlines() if line.split()]
    token = lines[0][-1]
    if twin.is_file() and twin.read_text("utf-8").strip() == token:
        return
    if twin.is_file():
        twin.unlink()
    _write(twin, token)


def ensure_local(folder: Path, to: tuple[int, int] | None) -> None:
    """Make the folders of the user's additions."""
    folder.mkdir(parents=True, exist_ok=True)
    give(folder, to)
    for name in LOCAL:
        (folder / name).mkdir(exist_ok=True)
        give(folder / name, to)


def main(arguments: list[str]) -> int:
    """Serve `init`: SECRETS LOCAL. The owner is whose this file is, for SUDO_UID does not reach a container."""
    folder, local = Path(arguments[0]), Path(arguments[1])
    to = owner(Path(__file__).resolve().parent, {})
    ensure_local(local, to)
    for path in ensure(folder, to):
        print(f"made {path.relative_to(folder)}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
