"""Which source a program is taken from, in which order, and what a person is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.releases import Releases, archive, released, says

from stack import tools
from stack.tools_model import ALERTMANAGER, GRAFANA, PROMETHEUS, Found, Program, SourceError
from stack.tools_path import from_grafana_home, from_path

NO_RELEASES = {program.releases_key: "" for program in tools.PROGRAMS}


@pytest.fixture
def releases() -> Iterator[Releases]:
    """Run a release server that has Prometheus and Alertmanager."""
    with released() as server:
        for program in (PROMETHEUS, ALERTMANAGER):
            server.publish(program, archive(program))
        yield server


def installed(folder: Path, program: Program, version: str, *, leave_out: str = "") -> Path:
    """Put a program that says its version into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in program.binaries:
        if name != leave_out:
            (folder / name).write_bytes(says(name, version))
            (folder / name).chmod(0o755)
    return folder


def grafana_folder(folder: Path, version: str = "12.2.0") -> Path:
    """Make a folder as GRAFANA_HOME names it."""
    installed(folder / "bin", GRAFANA, version)
    (folder / "conf").mkdir()
    (folder / "conf" / "defaults.ini").touch()
    (folder / "public").mkdir()
    return folder


def ensured(tmp_path: Path, *programs: Program, **env: str) -> tuple[dict[str, Found], list[str]]:
    """Get programs into a folder of this test; returns them and what was said."""
    said: list[str] = []
    whole = {"PATH": str(tmp_path / "bin"), **NO_RELEASES, **env}
    return tools.ensure(tmp_path, whole, said.append, programs or (PROMETHEUS, ALERTMANAGER)), said


def mirrors(server: Releases) -> dict[str, str]:
    """Name the server as the mirror of every project."""
    return dict.fromkeys(NO_RELEASES, server.address)


def test_path_comes_first(releases: Releases, tmp_path: Path) -> None:
    """A program on PATH that is new enough is taken, and nobody else is asked."""
    installed(tmp_path / "bin", PROMETHEUS, "3.5.0")
    found, said = ensured(tmp_path, PROMETHEUS, **mirrors(releases))
    assert (found["prometheus"].version, found["prometheus"].source) == ("3.5.0", "PATH")
    assert releases.asked == []
    assert said == [f"prometheus 3.5.0 from PATH ({tmp_path / 'bin'})"]


@pytest.mark.parametrize(("version", "leave_out"), [("2.42.0", ""), ("3.4.9", ""), ("3.5.0", "promtool")])
def test_path_is_not_enough(version: str, leave_out: str, releases: Releases, tmp_path: Path) -> None:
    """One that is too old, or lacks its tool, is passed over aloud, and the release archive serves."""
    installed(tmp_path / "bin", PROMETHEUS, version, leave_out=leave_out)
    found, said = ensured(tmp_path, PROMETHEUS, **mirrors(releases))
    assert (found["prometheus"].version, found["prometheus"].source) == (PROMETHEUS.pinned, "release")
    assert said[0].startswith("prometheus: not from PATH: ")
    assert (leave_out or f"is {version}, at least 3.5 is needed") in said[0]


def test_what_was_fetched_is_kept(releases: Releases, tmp_path: Path) -> None:
    """The second call takes what `.tools` holds, says the same source, and asks nobody."""
    first, _ = ensured(tmp_path, **mirrors(releases))
    releases.asked.clear()
    second, said = ensured(tmp_path, **mirrors(releases))
    assert second == first
    assert releases.asked == []
    assert said[0] == f"prometheus {PROMETHEUS.pinned} from its project's release ({first['prometheus'].place})"


def test_another_pin_is_looked_for_again(releases: Releases, tmp_path: Path) -> None:
    """After an upgrade that pins another release, what was kept only serves where the new one cannot be had."""
    ensured(tmp_path, PROMETHEUS, **mirrors(releases))
    record = tmp_path / ".tools" / "prometheus.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "wanted": "3.0.0"}))
    releases.asked.clear()
    without, said = ensured(tmp_path, PROMETHEUS)
    assert without["prometheus"].wanted == "3.0.0"
    assert said == [said[-1]]
    ensured(tmp_path, PROMETHEUS, **mirrors(releases))
    assert releases.asked


def test_what_was_kept_but_does_not_run_is_fetched_again(releases: Releases, tmp_path: Path) -> None:
    """A half-deleted `.tools` mends itself."""
    found, _ = ensured(tmp_path, PROMETHEUS, **mirrors(releases))
    Path(found["prometheus"].binaries["prometheus"]).unlink()
    again, said = ensured(tmp_path, PROMETHEUS, **mirrors(releases))
    assert Path(again["prometheus"].binaries["prometheus"]).is_file()
    assert any("does not run on this machine" in line for line in said)


def test_one_folder_names_all_programs(releases: Releases, tmp_path: Path) -> None:
    """`.tools/bin` leads to every binary, whatever its source, and to none that is gone."""
    installed(tmp_path / "bin", ALERTMANAGER, "0.28.1")
    (tmp_path / ".tools" / "bin").mkdir(parents=True)
    (tmp_path / ".tools" / "bin" / "gone").symlink_to("nowhere")
    ensured(tmp_path, **mirrors(releases))
    links = {link.name: link.resolve() for link in (tmp_path / ".tools" / "bin").iterdir()}
    assert links.keys() == {"prometheus", "promtool", "alertmanager", "amtool"}
    assert links["amtool"] == tmp_path / "bin" / "amtool"


def test_our_own_folder_on_path_is_no_source(releases: Releases, tmp_path: Path) -> None:
    """Who puts `.tools/bin` on PATH is not told that the programs came from PATH."""
    path = f"{tmp_path / '.tools' / 'bin'}"
    ensured(tmp_path, PROMETHEUS, PATH=path, **mirrors(releases))
    found, _ = ensured(tmp_path, PROMETHEUS, PATH=path, **mirrors(releases))
    assert found["prometheus"].source == "release"


def test_no_source_at_all_names_every_reason(tmp_path: Path) -> None:
    """Without Prometheus there is no stack: the message has each source's reason, and what to do."""
    with pytest.raises(tools.MissingProgramError) as caught:
        ensured(tmp_path, PROMETHEUS)
    message = str(caught.value)
    for part in ("PATH: no prometheus on PATH", "PROMETHEUS_RELEASES_URL is empty", "no apt-get on this machine"):
        assert part in message
    assert "Put prometheus and promtool on PATH" in message


def test_grafana_alone_may_be_missing(tmp_path: Path) -> None:
    """Without any Grafana the stack runs; one line names it, and why."""
    found, said = ensured(tmp_path, GRAFANA)
    assert found == {}
    assert len(said) == 1
    assert said[0].startswith("grafana: left out, no source has 12.2 or newer (")


def test_grafana_from_a_folder(tmp_path: Path) -> None:
    """GRAFANA_HOME names a folder with Grafana in it."""
    home = grafana_folder(tmp_path / "grafana")
    found, _ = ensured(tmp_path, GRAFANA, GRAFANA_HOME=str(home))
    assert (found["grafana"].source, found["grafana"].home) == ("GRAFANA_HOME", str(home))


@pytest.mark.parametrize("part", ["bin/grafana", "conf/defaults.ini", "public"])
def test_a_folder_that_is_not_grafanas_is_refused(part: str, tmp_path: Path) -> None:
    """A GRAFANA_HOME that lacks a part is refused by that part's name."""
    home = grafana_folder(tmp_path / "grafana")
    path = home / part
    path.rmdir() if path.is_dir() else path.unlink()
    with pytest.raises(SourceError, match=f"{part} missing"):
        from_grafana_home(GRAFANA, {"GRAFANA_HOME": str(home)})


def test_grafana_on_path_brings_its_home(tmp_path: Path) -> None:
    """A Grafana on PATH is found with the folder it starts from, through a link too."""
    home = grafana_folder(tmp_path / "grafana")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "grafana").symlink_to(home / "bin" / "grafana")
    found = from_path(GRAFANA, {"PATH": str(tmp_path / "bin")}, tmp_path / ".tools")
    assert found.home == str(home)


def test_a_grafana_that_is_too_old_is_refused(tmp_path: Path) -> None:
    """A Grafana older than the dashboards need is refused with both versions."""
    home = grafana_folder(tmp_path / "grafana", "11.6.1")
    with pytest.raises(SourceError, match=r"is 11\.6\.1, at least 12\.2 is needed"):
        from_grafana_home(GRAFANA, {"GRAFANA_HOME": str(home)})


def test_a_folder_of_other_things_is_no_place_for_programs(tmp_path: Path) -> None:
    """EDDIE_TOOLS naming a folder in use is refused before a link of somebody else's `bin` is touched."""
    link = tmp_path / "usr" / "bin" / "prometheus"
    link.parent.mkdir(parents=True)
    link.symlink_to("nowhere")
    with pytest.raises(tools.MissingProgramError, match="EDDIE_TOOLS: expected a folder of its own"):
        tools.ensure(tmp_path, {"EDDIE_TOOLS": str(tmp_path / "usr")})
    assert link.is_symlink()
    assert [entry.name for entry in (tmp_path / "usr").iterdir()] == ["bin"]
