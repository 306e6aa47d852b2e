from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from stack import secretfiles


def mode(path: Path) -> int:
    """Answer the permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_missing_is_made_with_modes_any_container_can_use(tmp_path: Path) -> None:
    """Only the owner passes the folder; inside, any uid reads what is mounted for it."""
    folder = tmp_path / "secrets"
    made = secretfiles.ensure(folder, None)
    assert {str(path.relative_to(folder)) for path in made} == set(secretfiles.MADE)
    assert mode(folder) == 0o700
    assert {mode(folder / service) for service in secretfiles.SERVICES} == {0o755}
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {mode(path) for path in files} == {0o444}
    assert len({path.read_text() for path in made}) == len(made)


def test_twins_are_the_same_token(tmp_path: Path) -> None:
    """Whoever sends has the token that the receiver asks for."""
    secretfiles.ensure(tmp_path, None)
    for name, twin in secretfiles.MADE.items():
        if twin is not None:
            assert (tmp_path / twin).read_text() == (tmp_path / name).read_text()


def test_a_second_run_makes_and_changes_nothing(tmp_path: Path) -> None:
    """What exists stays as it is, the user's own too."""
    secretfiles.ensure(tmp_path, None)
    own = tmp_path / "exporter" / "ingest_token"
    own.unlink()
    own.write_text("mine\n")
    own.chmod(0o444)
    before = {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert secretfiles.ensure(tmp_path, None) == []
    assert {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_an_empty_file_is_no_secret(tmp_path: Path) -> None:
    """An empty token would stop the exporter; it is made anew."""
    (tmp_path / "exporter").mkdir()
    (tmp_path / "exporter" / "alerts_token").write_text("\n")
    made = secretfiles.ensure(tmp_path, None)
    assert tmp_path / "exporter" / "alerts_token" in made
    assert (tmp_path / "exporter" / "alerts_token").read_text().strip()


def test_a_replaced_token_reaches_its_twin(tmp_path: Path) -> None:
    """A token the user has changed is given to the sender at the next start: its first line, its last word."""
    secretfiles.ensure(tmp_path, None)
    token = tmp_path / "exporter" / "alerts_token"
    token.chmod(0o644)
    token.write_text("alertmanager new-token\nold-token\n")
    secretfiles.ensure(tmp_path, None)
    assert (tmp_path / "alertmanager" / "alerts_token").read_text() == "new-token\n"


def test_wrong_modes_are_put_right(tmp_path: Path) -> None:
    """A receiver's address that only its writer can read is made readable, and the folder is closed again."""
    secretfiles.ensure(tmp_path, None)
    address = tmp_path / "alertmanager" / "slack_url"
    address.write_text("http://127.0.0.1/\n")
    address.chmod(0o600)
    tmp_path.chmod(0o755)
    secretfiles.ensure(tmp_path, None)
    assert mode(address) == 0o444
    assert mode(tmp_path) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_after_sudo_they_belong_to_the_caller(tmp_path: Path) -> None:
    """The invoking user owns what root made, else they could not read their own password."""
    to = secretfiles.owner(tmp_path, {"SUDO_UID": "12345", "SUDO_GID": "12346"})
    assert to == (12345, 12346)
    secretfiles.ensure(tmp_path / "secrets", to)
    secretfiles.ensure_local(tmp_path / "local", to)
    owned = [path for name in ("secrets", "local") for path in [tmp_path / name, *(tmp_path / name).rglob("*")]]
    assert {(path.stat().st_uid, path.stat().st_gid) for path in owned} == {(12345, 12346)}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_root_without_sudo_gives_them_to_the_checkouts_owner(tmp_path: Path) -> None:
    """The one-shot service runs as root and knows no caller; the checkout says whose they are."""
    os.chown(tmp_path, 12345, 12346)
    assert secretfiles.owner(tmp_path, {"SUDO_UID": "nobody"}) == (12345, 12346)


def test_the_one_shot_service_runs_it_as_a_script(tmp_path: Path) -> None:
    """Run by itself, with nothing of the project on the path, it makes secrets and folders and says which."""
    command = [sys.executable, "-I", str(secretfiles.__file__), str(tmp_path / "s"), str(tmp_path / "l")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "made grafana/admin_password" in done.stdout
    assert {path.name for path in (tmp_path / "l").iterdir()} == set(secretfiles.LOCAL)
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert again.stdout == ""
