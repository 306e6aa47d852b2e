"""The board's settings: read once, every mistake said together."""

from __future__ import annotations

from pathlib import Path

import pytest

from eddie_board.errors import SettingsError
from eddie_board.settings import Settings, load


def test_without_environment_it_is_loopback_and_the_usual_ports() -> None:
    """Nothing set is a board on 127.0.0.1:8504 that asks the engines on this machine."""
    settings = load({})
    assert (settings.board_host, settings.board_port) == ("127.0.0.1", 8504)
    assert (settings.prometheus_url, settings.alertmanager_url) == ("http://127.0.0.1:9090", "http://127.0.0.1:9093")
    assert settings.local_dashboards_path is None


def test_every_setting_is_read_by_its_name() -> None:
    """A setting's variable is EDDIE_ and its name in capitals."""
    settings = load(
        {
            "EDDIE_BOARD_PORT": "3000",
            "EDDIE_PROMETHEUS_URL": "http://prometheus:9090/",
            "EDDIE_LOCAL_DASHBOARDS_PATH": "/own",
            "EDDIE_BOARD_ALLOWED_HOSTS": "board.example, other.example",
            "EDDIE_LOG_LEVEL": "debug",
        }
    )
    assert settings.board_port == 3000
    assert settings.prometheus_url == "http://prometheus:9090"
    assert settings.local_dashboards_path == Path("/own")
    assert settings.board_allowed_hosts == ("board.example", "other.example")
    assert settings.log_level == "debug"


def test_all_mistakes_are_said_together() -> None:
    """Three mistakes are three sentences, each with the variable's name and what it got."""
    with pytest.raises(SettingsError) as raised:
        load({"EDDIE_BOARD_PORT": "many", "EDDIE_PROMETHEUS_URL": "here", "EDDIE_BOARD_ALLOWED_HOSTS": "http://x/y"})
    assert [mistake.partition(":")[0] for mistake in raised.value.mistakes] == [
        "EDDIE_BOARD_PORT",
        "EDDIE_BOARD_ALLOWED_HOSTS",
        "EDDIE_PROMETHEUS_URL",
    ]
    assert "got 'many'" in str(raised.value)


@pytest.mark.parametrize("value", ["http://prometheus:port", "http://prometheus:99999", "http://[::1", "http://p:0"])
def test_an_address_nobody_can_ask_is_a_mistake(value: str) -> None:
    """A port that is none is said at the start, not on each panel."""
    with pytest.raises(SettingsError, match="EDDIE_PROMETHEUS_URL"):
        load({"EDDIE_PROMETHEUS_URL": value})


@pytest.mark.parametrize("value", ["0.01", "1e400", "nan", "inf"])
def test_a_timeout_has_bounds(value: str) -> None:
    """A time-out of nothing, or of for ever, is a mistake."""
    with pytest.raises(SettingsError, match="EDDIE_BOARD_TIMEOUT_SECONDS"):
        load({"EDDIE_BOARD_TIMEOUT_SECONDS": value})


def test_an_empty_variable_is_an_unset_one() -> None:
    """Compose hands on unset variables as empty ones; they are the defaults."""
    assert load(dict.fromkeys((f"EDDIE_{name.upper()}" for name in Settings.model_fields), "")) == Settings()


def test_a_link_is_the_services_own_address_or_this_machines() -> None:
    """A public address stands as it is; without one the machine's and the service's usual port make it."""
    settings = load({"EDDIE_PUBLIC_URL": "http://box", "EDDIE_PROMETHEUS_PUBLIC_URL": "https://metrics.example/"})
    assert settings.link("prometheus") == "https://metrics.example"
    assert settings.link("grafana") == "http://box:3000"
