from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from stack import settings
from stack.model import StackError


def test_a_line_is_read_as_compose_reads_it() -> None:
    """Comments, `export`, quotes and references mean what they mean to Compose."""
    text = """
# a comment
PLAIN=one # and a comment behind
export EXPORTED = two
SINGLE='$PLAIN # three'
DOUBLE="${PLAIN} four"
DEFAULT=${NOWHERE:-five}
EMPTY=
CALLER=$HOME_OF
HASH=a#b
FIRST=#b
ESCAPED="a\\"b\\tc"
DOLLARS=$$PLAIN
BACKSLASH="costs \\$PLAIN"
"""
    assert settings.parse_env(text, {"HOME_OF": "/h"}) == {
        "PLAIN": "one",
        "EXPORTED": "two",
        "SINGLE": "$PLAIN # three",
        "DOUBLE": "one four",
        "DEFAULT": "five",
        "EMPTY": "",
        "CALLER": "/h",
        "HASH": "a#b",
        "FIRST": "#b",
        "ESCAPED": 'a"b\tc',
        "DOLLARS": "$PLAIN",
        "BACKSLASH": "costs $PLAIN",
    }


def test_a_line_that_is_none_is_named() -> None:
    """A line that is neither comment nor KEY=value is refused with its number."""
    with pytest.raises(StackError, match=r"\.env line 2: expected KEY=value .* 'oops'"):
        settings.parse_env("A=1\noops\n", {})


def test_the_callers_environment_wins(tmp_path: Path) -> None:
    """The caller's variable is taken, then .env, then the default; an empty one counts as unset."""
    (tmp_path / ".env").write_text("EDDIE_PORT=1000\nPROMETHEUS_PORT=2000\nGRAFANA_PORT=\n")
    env = settings.load(tmp_path, {"EDDIE_PORT": "1001"})
    assert settings.ports(env) == {
        "exporter": 1001,
        "prometheus": 2000,
        "alertmanager": 9093,
        "grafana": 3000,
        "board": 8504,
    }


def test_a_clean_clone_has_every_default(tmp_path: Path) -> None:
    """Without .env every stack key has its default, and links carry a host name, never localhost."""
    env = settings.load(tmp_path, {})
    assert {key: env[key] for key in settings.DEFAULTS} == settings.DEFAULTS
    assert env["EDDIE_GRAFANA_PUBLIC_URL"].endswith(":3000")
    assert "localhost" not in env["EDDIE_PUBLIC_URL"]


def test_links_follow_the_public_address(tmp_path: Path) -> None:
    """EDDIE_PUBLIC_URL is in every link that has no address of its own, with that service's port."""
    given = {
        "EDDIE_PUBLIC_URL": "https://eddie.example/",
        "GRAFANA_PORT": "3001",
        "EDDIE_PROMETHEUS_PUBLIC_URL": "http://p",
    }
    env = settings.load(tmp_path, given)
    assert env["EDDIE_GRAFANA_PUBLIC_URL"] == "https://eddie.example:3001"
    assert env["EDDIE_PROMETHEUS_PUBLIC_URL"] == "http://p"


@pytest.mark.parametrize("value", ["0", "65536", "http", "-1", "80 "])
def test_what_is_no_port_is_refused(tmp_path: Path, value: str) -> None:
    """A port that cannot be one is refused with its key."""
    with pytest.raises(StackError, match="PROMETHEUS_PORT: expected a port from 1 to 65535"):
        settings.ports(settings.load(tmp_path, {"PROMETHEUS_PORT": value}))


def test_two_services_cannot_share_a_port(tmp_path: Path) -> None:
    """The same port twice is refused before anything starts, with both keys."""
    with pytest.raises(StackError, match="GRAFANA_PORT and EDDIE_PORT are both 3000"):
        settings.ports(settings.load(tmp_path, {"EDDIE_PORT": "3000"}))


@pytest.mark.parametrize(("address", "loopback"), [
    ("127.0.0.1", True), ("127.8.8.8", True), ("localhost", True), ("::1", True),
    ("0.0.0.0", False), ("192.0.2.1", False), ("::", False), ("example.org", False),
])  # fmt: skip
def test_loopback_is_what_only_this_machine_reaches(address: str, loopback: bool) -> None:
    """An address that others reach is never taken for loopback."""
    assert settings.is_loopback(address) is loopback


@pytest.mark.parametrize("line", ['A="two', "A='two", "A=${B:+c}", "A=${B:-${C}}", "A=${B:?no}"])
def test_what_only_compose_reads_is_refused(line: str) -> None:
    """Lines over several lines and Compose's other references are refused by key, not read in another way."""
    with pytest.raises(StackError, match=r"\.env line 1: A: expected "):
        settings.parse_env(line, {})


@pytest.mark.parametrize(
    ("bind", "address"), [("::", "[::]"), ("[::1]", "[::1]"), ("0.0.0.0", "0.0.0.0"), ("localhost", "127.0.0.1")]
)
def test_an_address_is_written_as_compose_takes_it(tmp_path: Path, bind: str, address: str) -> None:
    """IPv6 gets its brackets, a name its number."""
    assert settings.load(tmp_path, {"EDDIE_BIND": bind})["EDDIE_BIND"] == address


def test_what_is_no_address_is_refused(tmp_path: Path) -> None:
    """An interface's name is refused at once, not by a service that ends five times."""
    with pytest.raises(StackError, match=r"EDDIE_BIND: expected an IP address .* 'eth0'"):
        settings.load(tmp_path, {"EDDIE_BIND": "eth0"})


def test_the_board_has_a_port_and_no_address_of_its_own(tmp_path: Path) -> None:
    """Links lead to Grafana's address, whoever is there; a second one for the board would be a second truth."""
    env = settings.load(tmp_path, {"BOARD_PORT": "9999"})
    assert settings.ports(env)["board"] == 9999
    assert "EDDIE_BOARD_PUBLIC_URL" not in env


def test_a_folder_of_its_own_is_taken(tmp_path: Path) -> None:
    """The default, a new folder, and one with the stack's own things in it are the stack's."""
    (tmp_path / "state" / "data").mkdir(parents=True)
    for named in ("", "new", "state", str(tmp_path / "state")):
        path = settings.own_folder(tmp_path, {"EDDIE_RUN": named}, "EDDIE_RUN", ".run", ("data",))
        assert path == tmp_path / (named or ".run")


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The root, the home, the checkout, what lies above them, and a folder with other things: purge would take them."""
    (tmp_path / "home" / "me").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home" / "me"))
    (tmp_path / "other" / "photos").mkdir(parents=True)
    root = tmp_path / "checkout"
    root.mkdir()
    for named in ("/", ".", "..", "../other", str(tmp_path / "home"), str(tmp_path / "home" / "me")):
        with pytest.raises(StackError, match="EDDIE_RUN: expected a folder of its own"):
            settings.own_folder(root, {"EDDIE_RUN": named}, "EDDIE_RUN", ".run", ("data",))


def test_one_environment_is_made_in_three_sizes() -> None:
    """Anything but native, board and dev is refused with these words before something is made."""
    script = Path(settings.__file__).parents[1] / "venv.sh"
    done = subprocess.run(["sh", str(script), "bord"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "venv.sh: expected native, board or dev, got 'bord'\n")


def test_a_folder_of_other_things_is_no_virtual_environment(tmp_path: Path) -> None:
    """EDDIE_VENV naming a folder in use is refused: the script begins by removing what is there."""
    (tmp_path / "letters").write_text("dear all")
    script = Path(settings.__file__).parents[1] / "venv.sh"
    env = {**os.environ, "EDDIE_VENV": str(tmp_path)}
    done = subprocess.run(["sh", str(script), "native"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "EDDIE_VENV: expected a new folder or a virtual environment" in done.stderr
    assert (tmp_path / "letters").exists()
