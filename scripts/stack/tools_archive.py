"""The third source of a program: the distribution's own archive, unpacked into `.tools` without installing anything."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stack.tools_model import Found, Program, SourceError, parsed, version_of
from stack.tools_wrapper import wrap

NEWEST = {"debian": "unstable", "ubuntu": "devel"}
"""The name under which a distribution's archive keeps its newest suite."""
UPDATE_WITHIN, FETCH_WITHIN = 180.0, 300.0
"""Seconds for the lists (about 10 MB) and for the packages of one program (about 60 MB)."""
# -c is read after the system's own apt.conf.d, so these win: nothing of the system is written, no hook of it is run.
_SETTINGS = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Default-Release;
Dir::Etc::sourcelist "{here}/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferences "-";
Dir::Etc::preferencesparts "-";
Dir::State::lists "{here}/lists";
Dir::Cache "{here}/cache";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::GzipIndexes "true";
Acquire::Retries "0";
Acquire::http::Timeout "5";
Acquire::https::Timeout "5";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11-icons::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11-icons-small::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11-icons-hidpi::DefaultEnabled "false";
Acquire::IndexTargets::deb::CNF::DefaultEnabled "false";
"""


@dataclass(frozen=True, slots=True)
class Suite:
    """One suite of the machine's own archive."""

    name: str
    address: str
    components: str
    signed_by: str
    newest: bool
    """The distribution's newest, instead of the machine's own."""

    @property
    def line(self) -> str:
        """The suite as a line of a sources.list."""
        signed = f" [signed-by={self.signed_by}]" if self.signed_by else ""
        return f"deb{signed} {self.address} {self.name} {self.components}\n"


class Archive:
    """The distribution's archive during one `make up`: lists are fetched once for all programs, then thrown away."""

    def __init__(self, tools: Path, env: Mapping[str, str]) -> None:
        self._tools = tools
        self._env = {**env, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
        self._folder = Path(tempfile.mkdtemp(dir=tools, prefix=".apt-"))
        self._updated: dict[str, str] = {}
        self._suites: list[Suite] | None = None

    def fetch(self, program: Program) -> Found:
        """Unpack the newest that the archive has and that runs here; raises SourceError with every suite's reason."""
        if not program.packages:
            raise SourceError("no distribution packages it")
        for tool in ("apt-get", "dpkg-deb"):
            if shutil.which(tool, path=self._env.get("PATH")) is None:
                raise SourceError(f"no {tool} on this machine")
        reasons: list[str] = []
        for suite in self._known_suites():
            try:
                return self._from_suite(program, suite)
            except SourceError as error:
                reasons.append(f"{suite.name}: {error}")
        raise SourceError("; ".join(reasons) or "apt knows no archive with a component main")

    def close(self) -> None:
        """Remove lists and packages; what was unpacked stays in `.tools`."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _known_suites(self) -> list[Suite]:
        if self._suites is None:
            self._suites = suites(self._run(["apt-get", "indextargets", "Created-By: Packages"], 30.0), _os_release())
        return self._suites

    def _from_suite(self, program: Program, suite: Suite) -> Found:
        here = self._updated_lists(suite)
        apt = ["-q", "-c", str(here / "apt.conf")]
        offered = self._run(["apt-cache", *apt, "pkgnames"], 60.0).split()
        packages = [name for name in program.packages if name in offered]
        if not packages:
            raise SourceError(f"no package {program.packages[0]}")
        with tempfile.TemporaryDirectory(dir=here) as scratch:
            self._run(["apt-get", *apt, "download", *packages], FETCH_WITHIN, cwd=scratch)
            unpacked = Path(scratch, "unpacked")
            for package in sorted(Path(scratch).glob("*.deb")):
                self._run(["dpkg-deb", "-x", str(package), str(unpacked)], 120.0)
            return self._installed(program, suite, unpacked)

    def _installed(self, program: Program, suite: Suite, unpacked: Path) -> Found:
        """Keep what runs here, and wrap what does not start without its package installed."""
        sources = {name: _binary(unpacked, name) for name in program.binaries}
        version = version_of(sources[program.binaries[0]])
        final = self._tools / program.name / f"{version}-{suite.name}"
        shutil.rmtree(final, ignore_errors=True)
        final.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(unpacked, final)
        binaries = {name: final / path.relative_to(unpacked) for name, path in sources.items()}
        notes = []
        if parsed(version) < program.minimum:
            lacks = f": {program.when_older}" if program.when_older else ""
            notes.append(f"older than the {program.wished} wished{lacks}")
        wrapped = wrap(program.name, final, binaries)
        return Found(
            program.name, version, "archive", f"{suite.name} of this machine's distribution", wrapped,
            wanted=program.pinned, notes=notes,
        )  # fmt: skip

    def _updated_lists(self, suite: Suite) -> Path:
        """Fetch the suite's package lists at the first call; raises SourceError, each time, when that failed."""
        here = self._folder / suite.name
        if suite.name not in self._updated:
            for folder in ("lists/partial", "cache/archives/partial"):
                (here / folder).mkdir(parents=True, exist_ok=True)
            (here / "sources.list").write_text(suite.line)
            (here / "apt.conf").write_text(_SETTINGS.format(here=here))
            try:
                self._run(["apt-get", "-q", "-c", str(here / "apt.conf"), "update", "--error-on=any"], UPDATE_WITHIN)
                self._updated[suite.name] = ""
            except SourceError as error:
                self._updated[suite.name] = str(error)
        if self._updated[suite.name]:
            raise SourceError(self._updated[suite.name])
        return here

    def _run(self, command: list[str], within: float, cwd: str | None = None) -> str:
        """Run one of apt's or dpkg's programs; raises SourceError with its last word."""
        try:
            done = subprocess.run(
                command, env=self._env, cwd=cwd, timeout=within, check=False,
                capture_output=True, text=True, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SourceError(f"{command[0]}: {error}") from error
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()
            raise SourceError(f"{command[0]} ended with {done.returncode}: {said[-1]}")
        return done.stdout


@contextmanager
def opened(tools: Path, env: Mapping[str, str]) -> Iterator[Archive]:
    """Open the archive, and remove its lists afterwards."""
    archive = Archive(tools, env)
    try:
        yield archive
    finally:
        archive.close()


def suites(targets: str, release: Mapping[str, str]) -> list[Suite]:
    """Choose the suites to ask, newest first, from what `apt-get indextargets` says of this machine's own archive.

    The lists may never have been fetched: then a stanza has no Codename or Origin, and its Release has to do. Archives
    of others (a `-` or a `/` in the release, another origin, no component main) are left out.
    """
    distribution, codename = release.get("ID", ""), release.get("VERSION_CODENAME", "")
    components = "main universe" if distribution == "ubuntu" else "main"
    own: list[Suite] = []
    for stanza in targets.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line)
        name = fields.get("Codename") or fields.get("Release", "")
        address = fields.get("Repo-URI", "")
        foreign = fields.get("Origin", distribution).lower() != distribution
        if fields.get("Component") != "main" or foreign or not address or not name or set(name) & set("-/"):
            continue
        if codename and name != codename and fields.get("Release") != codename and fields.get("Codename"):
            continue
        suite = Suite(name, address, components, fields.get("Signed-By", ""), newest=False)
        if suite not in own:
            own.append(suite)
    newest = NEWEST.get(distribution)
    ahead = [Suite(newest, s.address, components, s.signed_by, newest=True) for s in own] if newest else []
    return list({suite.line: suite for suite in (*ahead, *own)}.values())


def _os_release() -> dict[str, str]:
    """Read the distribution's own description of itself."""
    for place in ("/etc/os-release", "/usr/lib/os-release"):
        if Path(place).is_file():
            lines = Path(place).read_text().splitlines()
            return {key: value.strip("\"'") for key, _, value in (line.partition("=") for line in lines) if value}
    return {}


def _binary(unpacked: Path, name: str) -> Path:
    """Find a binary in the unpacked packages; Debian calls Alertmanager's `prometheus-alertmanager`."""
    for candidate in (unpacked / "usr/bin" / name, unpacked / "usr/bin" / f"prometheus-{name}"):
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    raise SourceError(f"its packages hold no {name}")
