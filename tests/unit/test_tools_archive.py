"""The third source of a program: the distribution's own archive, with stand-ins for apt's and dpkg's programs."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.releases import says

from stack import tools_archive
from stack.tools_archive import Suite, opened, suites
from stack.tools_model import GRAFANA, PROMETHEUS, SourceError, version_of

DEBIAN = {"ID": "debian", "VERSION_CODENAME": "bookworm"}
STANZA = """\
MetaKey: {component}/binary-amd64/Packages
Component: {component}
Release: {release}
Repo-URI: {address}
Signed-By: /usr/share/keyrings/archive.gpg
"""
FETCHED = "Codename: {codename}\nOrigin: {origin}\n"
HERE = "http://archive.invalid/debian/"


def stanza(release: str = "bookworm", component: str = "main", address: str = HERE, **fetched: str) -> str:
    """Write one stanza of `apt-get indextargets`; Codename and Origin are there once the lists were fetched."""
    text = STANZA.format(component=component, release=release, address=address)
    return text + (FETCHED.format(**fetched) if fetched else "")


def test_the_newest_suite_of_the_own_archive_comes_first() -> None:
    """The machine's own address serves the newest suite too; its own suite is the second choice."""
    found = suites(stanza(codename="bookworm", origin="Debian"), DEBIAN)
    signed = "/usr/share/keyrings/archive.gpg"
    assert found == [Suite("unstable", HERE, "main", signed, True), Suite("bookworm", HERE, "main", signed, False)]
    assert found[0].line == f"deb [signed-by={signed}] {HERE} unstable main\n"


def test_a_machine_that_never_fetched_its_lists_has_suites_too() -> None:
    """Without lists the stanza has no code name: the release of the sources serves."""
    assert [suite.name for suite in suites(stanza(), DEBIAN)] == ["unstable", "bookworm"]


def test_ubuntu_is_asked_for_its_newest_with_universe() -> None:
    """Ubuntu calls its newest suite otherwise, and keeps Prometheus in another component."""
    text = stanza("noble", codename="noble", origin="Ubuntu")
    found = suites(text, {"ID": "ubuntu", "VERSION_CODENAME": "noble"})
    assert [(suite.name, suite.components) for suite in found] == [
        ("devel", "main universe"),
        ("noble", "main universe"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        stanza("bookworm-updates", codename="bookworm-updates", origin="Debian"),
        stanza(component="contrib", codename="bookworm", origin="Debian"),
        stanza(codename="bookworm", origin="Docker"),
        stanza("bookworm/updates"),
        "",
    ],
    ids=["updates", "component", "foreign", "path", "nothing"],
)
def test_other_archives_are_not_asked(text: str) -> None:
    """Updates, other components and other people's archives are left out; so is a machine without any."""
    assert suites(text, DEBIAN) == []


APT = """\
#!/bin/sh
for word; do last=$word; done
case "$*" in
  *indextargets*) cat '{here}/stanzas';;
  *unstable*update*) {newest};;
  *update*) ;;
  *download*) : > package.deb;;
  *pkgnames*) echo prometheus; echo other;;
esac
"""
DPKG = """\
#!/bin/sh
mkdir -p "$3/usr/bin" && cp '{here}/prometheus' '{here}/promtool' "$3/usr/bin"
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a machine whose apt and dpkg are scripts; its archive has what lies beside them."""
    monkeypatch.setattr(tools_archive, "_os_release", lambda: DEBIAN)
    (tmp_path / "stanzas").write_text(stanza())
    for name, text in {"apt-get": APT, "apt-cache": APT, "dpkg-deb": DPKG}.items():
        (tmp_path / name).write_text(text.format(here=tmp_path, newest="exit 0"))
    packaged(tmp_path, "3.5.3")
    return tmp_path


def packaged(machine: Path, version: str) -> None:
    """Put a version of Prometheus into the archive."""
    for name in PROMETHEUS.binaries:
        (machine / name).write_bytes(says(name, version))
    for path in machine.iterdir():
        path.chmod(0o755)


def env(machine: Path) -> dict[str, str]:
    """Name the environment in which the machine's programs are found."""
    return {"PATH": f"{machine}:/usr/bin:/bin"}


def test_a_package_is_unpacked_without_installing(machine: Path) -> None:
    """What the newest suite has is unpacked into the tools' folder and runs; lists and packages are gone again."""
    store = machine / ".tools"
    store.mkdir()
    with opened(store, env(machine)) as archive:
        found = archive.fetch(PROMETHEUS)
    assert (found.version, found.source, found.notes) == ("3.5.3", "archive", [])
    assert "unstable" in found.place
    assert version_of(found.binaries["promtool"]) == "3.5.3"
    assert [path.name for path in store.iterdir()] == ["prometheus"]


def test_an_older_one_is_taken_and_said(machine: Path) -> None:
    """Where the newest suite does not answer, the machine's own serves, and that it is old is a note."""
    (machine / "apt-get").write_text(APT.format(here=machine, newest="echo 'no answer' >&2; exit 100"))
    packaged(machine, "2.42.0")
    (machine / ".tools").mkdir()
    with opened(machine / ".tools", env(machine)) as archive:
        found = archive.fetch(PROMETHEUS)
    assert found.version == "2.42.0"
    assert [note.partition(":")[0] for note in found.notes] == ["older than the 3.5 wished"]
    assert "bookworm" in found.place


def test_an_archive_without_the_package_is_told(machine: Path) -> None:
    """Each suite's reason is in the message, apt's own last word with it."""
    (machine / "apt-cache").write_text("#!/bin/sh\necho other\n")
    (machine / "apt-get").write_text(APT.format(here=machine, newest="echo 'no answer' >&2; exit 100"))
    (machine / ".tools").mkdir()
    with opened(machine / ".tools", env(machine)) as archive, pytest.raises(SourceError) as caught:
        archive.fetch(PROMETHEUS)
    assert str(caught.value) == ("unstable: apt-get ended with 100: no answer; bookworm: no package prometheus")


def test_a_program_nobody_packages_asks_nobody(machine: Path) -> None:
    """No distribution has Grafana: apt is not even started."""
    (machine / ".tools").mkdir()
    with opened(machine / ".tools", {"PATH": ""}) as archive, pytest.raises(SourceError, match="no distribution"):
        archive.fetch(GRAFANA)
