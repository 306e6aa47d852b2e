from __future__ import annotations

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
    }


def test_a_line_that_is_none_is_named() -> None:
    """A line that is neither comment nor KEY=value is refused with its number."""
    with pytest.raises(StackError, match=r"\.env line 2: expected KEY=value .* 'oops'"):
        settings.parse_env("A=1\noops\n", {})


def test_the_callers_environment_wins(tmp_path: Path) -> None:
    """The caller's variable is taken, then .env, then the default; an empty one counts as unset."""
    (tmp_path / ".env").write_text("EDDIE_PORT=1000\nPROMETHEUS_PORT=2000\nGRAFANA_PORT=\n")
    env = settings.load(tmp_path, {"EDDIE_PORT": "1001"})
    assert settings.ports(env) == {"exporter": 1001, "prometheus": 2000, "alertmanager": 9093, "grafana": 3000}


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
