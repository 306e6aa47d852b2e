"""The board's settings and requirements: what the stack hands on, and what one virtual environment can hold."""

from __future__ import annotations

import re
import tomllib

import yaml
from tests.support.programs import ROOT

from eddie_board.settings import Settings

DECIDED = {
    "EDDIE_BOARD_HOST",
    "EDDIE_BOARD_PORT",
    "EDDIE_BOARD_SCRAPE_SECONDS",
    "EDDIE_DASHBOARDS_PATH",
    "EDDIE_LOCAL_DASHBOARDS_PATH",
    "EDDIE_PROMETHEUS_URL",
    "EDDIE_ALERTMANAGER_URL",
}
"""Settings of the board that the stack decides itself."""
SETTINGS = {f"EDDIE_{name.upper()}" for name in Settings.model_fields}


def test_every_setting_has_its_key_in_the_example() -> None:
    """.env.example names every setting of the board that the stack does not decide itself."""
    keys = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert SETTINGS - DECIDED - keys == set()


def test_compose_hands_every_setting_on() -> None:
    """What .env may say reaches the container; where it listens is the image's, how often it asks its own default."""
    handed = set(yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["board"]["environment"])
    assert SETTINGS - handed == {"EDDIE_BOARD_HOST", "EDDIE_BOARD_PORT", "EDDIE_BOARD_SCRAPE_SECONDS"}


def test_it_asks_as_often_as_prometheus_scrapes() -> None:
    """The default of the board's interval is the one in prometheus.yml."""
    scrape = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text())["global"]["scrape_interval"]
    assert f"{Settings().board_scrape_seconds:g}s" == scrape


def test_what_pip_brings_is_what_is_locked() -> None:
    """The distribution's dependencies and the file its lock is made from are the same list."""
    named = tomllib.loads((ROOT / "board/pyproject.toml").read_text())["project"]["dependencies"]
    lines = (ROOT / "board/requirements/board.in").read_text().splitlines()
    assert sorted(named) == sorted(line for line in lines if line and not line.startswith("#"))


def pins(lock: str) -> set[str]:
    """Answer the versions of a lock."""
    return set(re.findall(r"^([a-z0-9][^ ]*==[^ ]+)", (ROOT / lock).read_text(), re.MULTILINE))


def test_one_environment_holds_all() -> None:
    """The exporter, its supervisor, the board and the tests agree on every version, so no lock undoes another."""
    everything = pins("exporter/requirements/dev.txt")
    for lock in (
        "exporter/requirements/server.txt",
        "exporter/requirements/native.txt",
        "board/requirements/board.txt",
    ):
        assert pins(lock)
        assert pins(lock) <= everything, lock
