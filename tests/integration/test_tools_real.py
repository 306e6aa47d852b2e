"""The release archive with real programs: archives made of this machine's own, served from loopback."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.programs import program, version
from tests.support.releases import ARCH, Releases, released

from stack import tools
from stack.tools_model import ALERTMANAGER, PROMETHEUS, Program


@pytest.fixture(scope="module")
def releases() -> Iterator[Releases]:
    """Serve archives of the programs this machine has."""
    with released() as server:
        for one in (PROMETHEUS, ALERTMANAGER):
            server.publish(one, packed(one))
        yield server


def packed(one: Program) -> bytes:
    """Pack the program as its project does; little compression, for it is read once."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        for name in one.binaries:
            tar.add(_itself(name), f"{one.name}-{one.pinned}.linux-{ARCH}/{name}")
    return buffer.getvalue()


def _itself(name: str) -> Path:
    """Return the binary itself, not the script that lets an unpacked package's Alertmanager start."""
    found = Path(program(name)).resolve()
    if found.parent.name != "wrapped":
        return found
    folder = found.parent.parent / "usr" / "bin"
    return next(path for path in (folder / name, folder / f"prometheus-{name}") if path.exists())


@pytest.mark.parametrize("proxy", ["", "http://127.0.0.1:9"], ids=["no proxy", "a proxy that leads nowhere"])
def test_real_programs_come_from_a_mirror(
    proxy: str, releases: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prometheus and Alertmanager are fetched, verified, unpacked, and say their versions; the record says whence."""
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, proxy)
    env = {"PATH": str(tmp_path), **{one.releases_key: releases.address for one in (PROMETHEUS, ALERTMANAGER)}}
    said: list[str] = []
    found = tools.ensure(tmp_path, env, said.append, (PROMETHEUS, ALERTMANAGER))
    assert {one.source for one in found.values()} == {"release"}
    for one in (PROMETHEUS, ALERTMANAGER):
        for name in one.binaries:
            assert version(str(tmp_path / ".tools" / "bin" / name)) == version(str(_itself(name)))
        assert releases.address in (tmp_path / ".tools" / f"{one.name}.json").read_text()
    assert any(f"from its project's release ({releases.address}" in line for line in said)


def test_a_damaged_archive_is_not_started(releases: Releases, tmp_path: Path) -> None:
    """One changed byte: refused with both sums, and the machine has no such program afterwards."""
    with released() as damaged:
        damaged.files.update(releases.files)
        path = next(path for path in damaged.files if path.endswith(".tar.gz") and "prometheus-" in path)
        content = bytearray(damaged.files[path])
        content[len(content) // 2] ^= 1
        damaged.files[path] = bytes(content)
        env = {"PATH": str(tmp_path), PROMETHEUS.releases_key: damaged.address}
        with pytest.raises(tools.MissingProgramError, match="wrong SHA-256"):
            tools.ensure(tmp_path, env, print, (PROMETHEUS,))
    assert list((tmp_path / ".tools" / "prometheus").iterdir()) == []
    assert list((tmp_path / ".tools" / "bin").iterdir() if (tmp_path / ".tools" / "bin").exists() else []) == []
