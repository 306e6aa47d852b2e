"""The command `eddie-exporter`: its help, its check of the configuration, and its words where its needs are missing."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from eddie_exporter import __main__ as command


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command with these settings alone, until it ends."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("EDDIE_", "DOCKER_"))}
    return subprocess.run(
        [sys.executable, "-m", "eddie_exporter", *arguments],
        env={**clean, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_names_every_option_and_ends_well() -> None:
    """What a person needs to go on, and nothing is started."""
    done = run("--help", EDDIE_PORT="not looked at")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(option in done.stdout for option in ("--check-config", "--start-fresh", "EDDIE_"))


def test_a_good_configuration_ends_with_0(tmp_path: Path) -> None:
    """What would be used on standard output, nothing on the other; no port is opened, so a taken one is no matter."""
    done = run("--check-config", EDDIE_DATA_DIR=str(tmp_path / "data"), EDDIE_PORT="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"EDDIE_DATA_DIR={tmp_path}/data\n" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_bad_one_ends_with_78_and_says_what_to_mend(tmp_path: Path) -> None:
    """A line each, without a traceback; 78 is what the start itself would end with."""
    done = run("--check-config", EDDIE_INGEST_TOKEN_FILE=str(tmp_path / "none"))
    assert done.returncode == 78
    assert done.stderr.startswith(f"to mend: EDDIE_INGEST_TOKEN_FILE={tmp_path}/none: No such file")
    assert done.stderr.count("\n") == 1


def test_an_unknown_option_is_refused() -> None:
    """Negative twin of help: a misspelt option starts nothing."""
    done = run("--chekc-config")
    assert done.returncode == 2
    assert "--chekc-config" in done.stderr


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the extra [server] each that is not installed, and no other extra's."""
    asked = ["msgspec>=0.19; extra == 'server'", 'nobody-has_this>=1 ; extra == "server"', "absent; extra == 'docs'"]
    monkeypatch.setattr(metadata, "requires", lambda _: asked)
    assert command.missing() == ["nobody-has_this"]


def test_nothing_is_missing_here() -> None:
    """Negative twin: in the environment of these tests the extra is installed."""
    assert command.missing() == []
