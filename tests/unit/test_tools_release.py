"""The second source of a program: its project's release archive."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.releases import ARCH, Releases, archive, packed, released, says

from stack import tools_release
from stack.tools_model import ALERTMANAGER, GRAFANA, PROMETHEUS, Found, Program, SourceError, version_of
from stack.tools_release import SilentError, from_release


@pytest.fixture
def releases() -> Iterator[Releases]:
    """Run a release server of this test's own."""
    with released() as server:
        yield server


@pytest.fixture(autouse=True)
def _no_proxy_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def fetched(server: Releases, tools: Path, program: Program = PROMETHEUS, silent: set[str] | None = None) -> Found:
    """Fetch from this server."""
    return from_release(program, {program.releases_key: server.address}, tools, set() if silent is None else silent)


def kept(tools: Path) -> list[Path]:
    """Every file that a fetch left."""
    return [path for path in tools.rglob("*") if path.is_file()]


@pytest.mark.parametrize("program", [PROMETHEUS, ALERTMANAGER], ids=lambda program: program.name)
def test_an_archive_with_the_published_sum_is_taken(program: Program, releases: Releases, tmp_path: Path) -> None:
    """The pinned release is unpacked into the tools' folder and runs from there, every binary of it."""
    releases.publish(program, archive(program))
    found = fetched(releases, tmp_path, program)
    assert (found.version, found.source, found.wanted) == (program.pinned, "release", program.pinned)
    assert set(found.binaries) == set(program.binaries)
    assert all(version_of(binary) == program.pinned for binary in found.binaries.values())
    assert found.place.startswith(releases.address)


def test_grafana_publishes_its_sum_alone(releases: Releases, tmp_path: Path) -> None:
    """Grafana's file of sums holds nothing but the sum, and its folder is the home it starts from."""
    binaries = {"bin/grafana": says("grafana", "13.2.3"), "conf/defaults.ini": b"", "public/index.html": b""}
    releases.publish(GRAFANA, archive(GRAFANA, binaries=binaries))
    found = fetched(releases, tmp_path, GRAFANA)
    assert (Path(found.home) / "conf" / "defaults.ini").is_file()
    assert Path(found.binaries["grafana"]) == Path(found.home) / "bin" / "grafana"


def test_a_grafana_without_its_pages_is_refused(releases: Releases, tmp_path: Path) -> None:
    """A folder without public/ would start and show empty pages, so it is not taken."""
    releases.publish(GRAFANA, archive(GRAFANA, binaries={"bin/grafana": says("grafana", "13.2.3")}))
    with pytest.raises(SourceError, match="public missing"):
        fetched(releases, tmp_path, GRAFANA)
    assert kept(tmp_path) == []


def test_a_wrong_sum_is_refused(releases: Releases, tmp_path: Path) -> None:
    """An archive that is not what was published is refused with both sums, and nothing of it is kept."""
    releases.publish(PROMETHEUS, archive(PROMETHEUS), digest="ab" * 32)
    with pytest.raises(SourceError, match=f"wrong SHA-256, published {'ab' * 32}, got [0-9a-f]{{64}}"):
        fetched(releases, tmp_path)
    assert kept(tmp_path) == []


def test_a_sum_of_another_file_is_no_sum(releases: Releases, tmp_path: Path) -> None:
    """An archive that the file of sums does not name is not even fetched."""
    path = releases.publish(PROMETHEUS, archive(PROMETHEUS))
    releases.files[f"/v{PROMETHEUS.pinned}/sha256sums.txt"] = f"{'0' * 64}  other.tar.gz\n".encode()
    with pytest.raises(SourceError, match="expected the SHA-256 of prometheus-"):
        fetched(releases, tmp_path)
    assert path not in releases.asked


def test_a_truncated_archive_is_refused(releases: Releases, tmp_path: Path) -> None:
    """A download that breaks off is told as that, with both lengths, and nothing of it is kept."""
    path = releases.publish(PROMETHEUS, archive(PROMETHEUS))
    releases.cut.add(path)
    with pytest.raises(SourceError, match=r"cut short, expected \d+ bytes, got \d+"):
        fetched(releases, tmp_path)
    assert kept(tmp_path) == []


def test_an_absent_release_is_told_with_its_address(releases: Releases, tmp_path: Path) -> None:
    """A 404 is an answer: the message names the address, and the server may be asked for other programs."""
    silent: set[str] = set()
    with pytest.raises(SourceError, match=r"sha256sums\.txt: expected 200, got 404"):
        fetched(releases, tmp_path, silent=silent)
    assert silent == set()


def test_no_network_is_told_once(tmp_path: Path) -> None:
    """Where nothing listens the source is left, and its host is not asked again for the next program."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    silent: set[str] = set()
    with pytest.raises(SilentError, match="cannot be reached"):
        from_release(PROMETHEUS, {PROMETHEUS.releases_key: address}, tmp_path, silent)
    with pytest.raises(SourceError, match="did not answer a moment ago"):
        from_release(ALERTMANAGER, {ALERTMANAGER.releases_key: address}, tmp_path, silent)


def test_a_source_is_given_up_after_five_seconds() -> None:
    """The design's number; the tests below shorten it."""
    assert tools_release.ANSWER_WITHIN == 5.0


@pytest.mark.parametrize("manner", ["silent", "dripping"])
def test_a_server_that_does_not_answer_is_given_up(
    manner: str, releases: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a server that says nothing nor one that sends headers for ever holds `make up` up."""
    monkeypatch.setattr(tools_release, "ANSWER_WITHIN", 0.5)
    getattr(releases, manner).add(f"/v{PROMETHEUS.pinned}/sha256sums.txt")
    began = time.monotonic()
    with pytest.raises(SilentError):
        fetched(releases, tmp_path)
    assert time.monotonic() - began < 2


def test_loopback_is_never_asked_by_proxy(releases: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a proxy set that leads nowhere, a mirror on this machine still serves."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    releases.publish(PROMETHEUS, archive(PROMETHEUS))
    assert fetched(releases, tmp_path).version == PROMETHEUS.pinned


def test_other_hosts_are_asked_by_the_callers_proxy(
    releases: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host beyond this machine is reached through the caller's proxy, which alone knows the way."""
    monkeypatch.setenv("http_proxy", releases.address)
    releases.publish(PROMETHEUS, archive(PROMETHEUS))
    found = from_release(PROMETHEUS, {PROMETHEUS.releases_key: "http://releases.invalid"}, tmp_path, set())
    assert found.version == PROMETHEUS.pinned
    assert all(asked.startswith("http://releases.invalid/") for asked in releases.asked)


def test_an_empty_address_asks_nobody(releases: Releases, tmp_path: Path) -> None:
    """The release archive is switched off by an empty address."""
    with pytest.raises(SourceError, match="PROMETHEUS_RELEASES_URL is empty"):
        from_release(PROMETHEUS, {PROMETHEUS.releases_key: ""}, tmp_path, set())


def test_a_release_that_is_too_old_is_refused(releases: Releases, tmp_path: Path) -> None:
    """A mirror may serve anything under the pinned name: what it holds is asked for its version."""
    releases.publish(PROMETHEUS, archive(PROMETHEUS, version="2.42.0"))
    with pytest.raises(SourceError, match=r"is 2\.42\.0, at least 3\.5 is needed"):
        fetched(releases, tmp_path)
    assert kept(tmp_path) == []


@pytest.mark.parametrize("filtered", [True, False], ids=["data filter", "Python before 3.11.4"])
def test_an_archive_that_leads_out_of_its_folder_is_refused(
    filtered: bool, releases: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name with `..` in it writes nowhere, whether Python's tarfile knows to refuse it or not."""
    if not filtered:
        monkeypatch.delattr("tarfile.data_filter", raising=False)
    top = f"prometheus-{PROMETHEUS.pinned}.linux-{ARCH}"
    releases.publish(PROMETHEUS, packed({f"{top}/prometheus": b"", f"{top}/../../../escaped": b"x"}))
    with pytest.raises(SourceError, match="cannot be unpacked"):
        fetched(releases, tmp_path / "tools")
    assert kept(tmp_path) == []


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_both_architectures_have_their_archive(
    machine: str, releases: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """amd64 and arm64 ask for their own archive."""
    monkeypatch.setattr("platform.machine", lambda: machine)
    releases.publish(PROMETHEUS, archive(PROMETHEUS))
    if ARCHITECTURE[machine] == ARCH:
        assert fetched(releases, tmp_path).version == PROMETHEUS.pinned
    else:
        with pytest.raises(SourceError, match=f"linux-{ARCHITECTURE[machine]}"):
            fetched(releases, tmp_path)


ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}


def test_another_architecture_is_told(releases: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that no archive is taken for is told so, and nothing is asked."""
    monkeypatch.setattr("platform.machine", lambda: "s390x")
    with pytest.raises(SourceError, match="expected Linux on amd64 or arm64"):
        fetched(releases, tmp_path)
    assert releases.asked == []
