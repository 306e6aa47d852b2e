"""What native mode needs of each program: its name, how new it must be, and where its project publishes it."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

VERSION_WITHIN = 20.0
"""Seconds a program may take to say its version; a cold disk and Grafana's 200 MB binary need a few."""


class SourceError(Exception):
    """One source does not have the program; the message says why, and the next source is asked."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program of the stack, its oldest version that does, and the release that is wished."""

    name: str
    binaries: tuple[str, ...]
    """What has to be there: the server first, then its command-line tool."""
    minimum: tuple[int, int]
    pinned: str
    releases_key: str
    """Setting that replaces the release address; set to nothing, the release archive is not asked."""
    releases_url: str
    archive: str
    """Path of the archive below the release address; `{version}` and `{arch}` are filled in."""
    sums: str
    """Path of the file of SHA-256 sums published beside it."""
    packages: tuple[str, ...] = ()
    """Packages of the distribution that hold it; none where no distribution has one."""
    when_older: str = ""
    """What a person misses with an older one."""

    @property
    def wished(self) -> str:
        """The oldest version that does, as people write it."""
        return ".".join(map(str, self.minimum))


@dataclass(frozen=True, slots=True)
class Found:
    """A program that can be started, and where it came from."""

    name: str
    version: str
    source: str
    """`PATH`, `GRAFANA_HOME`, `release` or `archive`."""
    place: str
    """The directory, address or suite it was taken from, for people."""
    binaries: dict[str, str]
    """Absolute path of each binary by its name."""
    home: str = ""
    """Grafana's folder with `conf/` and `public/`."""
    wanted: str = ""
    """The release that was pinned when it was fetched; another pin makes `make up` look again."""
    notes: list[str] = field(default_factory=list)
    """What a person should know about it, a sentence each."""


_PROJECT = "https://github.com/prometheus"
PROMETHEUS = Program(
    name="prometheus",
    binaries=("prometheus", "promtool"),
    minimum=(3, 5),
    pinned="3.13.4",
    releases_key="PROMETHEUS_RELEASES_URL",
    releases_url=f"{_PROJECT}/prometheus/releases/download",
    archive="v{version}/prometheus-{version}.linux-{arch}.tar.gz",
    sums="v{version}/sha256sums.txt",
    packages=("prometheus", "promtool"),
    when_older="increase() does not see the first event of a new series",
)
ALERTMANAGER = Program(
    name="alertmanager",
    binaries=("alertmanager", "amtool"),
    minimum=(0, 28),
    pinned="0.34.1",
    releases_key="ALERTMANAGER_RELEASES_URL",
    releases_url=f"{_PROJECT}/alertmanager/releases/download",
    archive="v{version}/alertmanager-{version}.linux-{arch}.tar.gz",
    sums="v{version}/sha256sums.txt",
    packages=("prometheus-alertmanager",),
)
GRAFANA = Program(
    name="grafana",
    binaries=("grafana",),
    minimum=(12, 2),
    pinned="13.2.3",
    releases_key="GRAFANA_RELEASES_URL",
    releases_url="https://dl.grafana.com/oss/release",
    archive="grafana-{version}.linux-{arch}.tar.gz",
    sums="grafana-{version}.linux-{arch}.tar.gz.sha256",
)


def parsed(version: str) -> tuple[int, int]:
    """Return major and minor of a version text, for comparing; (0, 0) where it has none."""
    match = re.search(r"(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def version_of(binary: str | Path) -> str:
    """Ask a program for the version it says of itself; raises SourceError where it does not run here."""
    try:
        answer = subprocess.run(
            [str(binary), "--version"],
            capture_output=True,
            text=True,
            timeout=VERSION_WITHIN,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SourceError(f"{binary} does not run on this machine ({error})") from error
    said = answer.stdout + answer.stderr
    match = re.search(r"version v?(\d+\.\d+(?:\.\d+)?)", said, re.IGNORECASE)
    if answer.returncode or not match:
        last = (said.strip().splitlines() or ["nothing"])[-1]
        raise SourceError(f"{binary} --version: expected a version, got exit {answer.returncode} and {last!r}")
    return match[1]
