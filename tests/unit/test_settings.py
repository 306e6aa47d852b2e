"""Settings are read once, and every mistake in them is told together."""

from __future__ import annotations

import socket

import pytest

from eddie_exporter.errors import SettingsError
from eddie_exporter.settings import DEFAULT_BUCKETS, load


def test_the_defaults_are_the_designs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback, port 8503, the buckets of the design, no address but the host's name in links."""
    settings = load()
    assert (settings.host, settings.port, settings.buckets) == ("127.0.0.1", 8503, DEFAULT_BUCKETS)
    assert settings.link("grafana") == f"http://{socket.gethostname()}:3000"
    monkeypatch.setenv("EDDIE_PUBLIC_URL", "https://metrics.example")
    monkeypatch.setenv("EDDIE_GRAFANA_PUBLIC_URL", "https://g.example/grafana/")
    assert load().link("exporter") == "https://metrics.example:8503"
    assert load().link("grafana") == "https://g.example/grafana"


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose hands on unset variables as empty ones; only an empty label says something: every container."""
    monkeypatch.setenv("EDDIE_PORT", "")
    monkeypatch.setenv("EDDIE_INGEST_TOKEN_FILE", "")
    monkeypatch.setenv("EDDIE_DOCKER_LABEL", "")
    settings = load()
    assert (settings.port, settings.ingest_token_file, settings.docker_label) == (8503, None, "")


def test_every_mistake_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody mends settings one restart at a time."""
    monkeypatch.setenv("EDDIE_PORT", "abc")
    monkeypatch.setenv("EDDIE_ENVIRONMENT", "no spaces please")
    monkeypatch.setenv("EDDIE_BUCKETS", "5 1")
    with pytest.raises(SettingsError) as caught:
        load()
    told = " ".join(caught.value.mistakes)
    assert all(name in told for name in ("EDDIE_PORT", "EDDIE_ENVIRONMENT", "EDDIE_BUCKETS"))


@pytest.mark.parametrize("buckets", ["1 1", "0 1", "-1 5", "1 nan", "1 inf", "x"])
def test_buckets_that_are_no_buckets_are_refused(monkeypatch: pytest.MonkeyPatch, buckets: str) -> None:
    """Bounds ascend, are finite and above zero."""
    monkeypatch.setenv("EDDIE_BUCKETS", buckets)
    with pytest.raises(SettingsError, match="EDDIE_BUCKETS"):
        load()


def test_buckets_may_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spaces or commas between them."""
    monkeypatch.setenv("EDDIE_BUCKETS", "1, 2 3.5")
    assert load().buckets == (1, 2, 3.5)
