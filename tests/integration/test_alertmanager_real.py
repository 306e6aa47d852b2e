"""A real Alertmanager with the shipped configuration: one symptom, one message, to whoever has a secret file."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.alertmanagers import LiveAlertmanager
from tests.support.assembled import TOKEN
from tests.support.eventually import eventually

import silence
from rig.sink import Sink


@pytest.fixture
def sink() -> Iterator[Sink]:
    """Listen as the inbox and every webhook; the path tells them apart."""
    with Sink() as listening:
        yield listening


@pytest.fixture
def alertmanager(tmp_path: Path, sink: Sink) -> Iterator[LiveAlertmanager]:
    """Alertmanager with an inbox and a person's webhook."""
    secrets = {**TOKEN, "webhook_url": f"{sink.url}/person"}
    with LiveAlertmanager(tmp_path, secrets, sink.url) as running:
        yield running


def told(sink: Sink, path: str = "/person") -> list[tuple[str, str, str]]:
    """List what arrived at a path: name, status and origin, in order."""
    notes = [(note, sink.requests[note.group].path) for note in sink.notifications()]
    return [(note.alertname, note.status, note.labels.get("origin", "")) for note, at in notes if at == path]


def until(sink: Sink, *expected: tuple[str, str, str], path: str = "/person") -> list[tuple[str, str, str]]:
    """Wait until all of these have arrived, and return everything that did."""

    def arrived() -> list[tuple[str, str, str]]:
        got = told(sink, path)
        assert set(expected) <= set(got), f"expected {expected}, got {got}"
        return got

    return eventually(arrived, within=60)


def test_without_secrets_it_runs_and_says_that_nobody_is_told(tmp_path: Path, sink: Sink) -> None:
    """With no secret file at all it is ready, keeps the inbox's copy coming, and its API says nobody is told."""
    with LiveAlertmanager(tmp_path, {}, sink.url) as running:
        assert running.receivers() == {"inbox", "nobody-is-told"}
        running.alert("FallbackDepthExceeded", severity="critical", origin="prometheus")
        until(sink, ("FallbackDepthExceeded", "firing", "prometheus"), path="/alerts")
        assert "authorization" not in sink.requests[0].headers


def test_receiver_appears_when_its_secret_file_is_added(tmp_path: Path, sink: Sink) -> None:
    """A secret file put there later is seen at the next start; before, its receiver is not there."""
    with LiveAlertmanager(tmp_path, TOKEN, sink.url) as running:
        assert "webhook" not in running.receivers()
        running.engine.stop()
        running.add_secret("webhook_url", f"{sink.url}/person")
        running.engine.start()
        assert running.receivers() == {"inbox", "webhook"}
        running.alert("ExporterDown", severity="critical", origin="prometheus")
        until(sink, ("ExporterDown", "firing", "prometheus"))


def test_person_and_inbox_are_told_once_when_it_fires_and_once_when_it_is_over(
    alertmanager: LiveAlertmanager, sink: Sink
) -> None:
    """One alert is one firing and one resolved message, at the person and in the inbox, which shows its token."""
    labels = {"severity": "critical", "origin": "prometheus", "environment": "test"}
    alertmanager.alert("FallbackDepthExceeded", **labels)
    until(sink, ("FallbackDepthExceeded", "firing", "prometheus"))
    alertmanager.resolve("FallbackDepthExceeded", **labels)
    for path in ("/person", "/alerts"):
        got = until(sink, ("FallbackDepthExceeded", "resolved", "prometheus"), path=path)
        assert [status for _, status, _ in got] == ["firing", "resolved"]
    inbox = next(request for request in sink.requests if request.path == "/alerts")
    assert inbox.headers["authorization"] == "Bearer t"


def test_grafanas_copy_is_dropped_while_prometheus_fires(alertmanager: LiveAlertmanager, sink: Sink) -> None:
    """Both engines say the same: one message goes out, Prometheus's, although Grafana spoke first."""
    alertmanager.alert("HighTimeoutEvents", severity="warning", origin="grafana", grafana_folder="Eddie")
    alertmanager.alert("HighTimeoutEvents", severity="warning", origin="prometheus", job="eddie-metrics")
    # Waits as long as the copy, came later, and is no copy: once it is out, the copy's turn has passed.
    alertmanager.alert("Control", severity="warning", origin="grafana")
    got = until(sink, ("HighTimeoutEvents", "firing", "prometheus"), ("Control", "firing", "grafana"))
    assert ("HighTimeoutEvents", "firing", "grafana") not in got + told(sink, "/alerts")
    assert len(got) == 2


def test_grafanas_copy_goes_out_when_prometheus_is_silent(alertmanager: LiveAlertmanager, sink: Sink) -> None:
    """When Prometheus's own alert does not come, Grafana's goes out, once; another name does not hold it back."""
    alertmanager.alert("HighFailureRate", severity="warning", origin="prometheus")
    alertmanager.alert("HighTimeoutEvents", severity="warning", origin="grafana")
    got = until(sink, ("HighTimeoutEvents", "firing", "grafana"))
    assert got.count(("HighTimeoutEvents", "firing", "grafana")) == 1


def test_dead_prometheus_is_one_message(alertmanager: LiveAlertmanager, sink: Sink) -> None:
    """With PrometheusDown firing, Grafana's copies of other alerts stay back, and PrometheusDown itself goes out."""
    alertmanager.alert("HighTimeoutEvents", severity="warning", origin="grafana")
    alertmanager.alert("FallbackDepthExceeded", severity="critical", origin="grafana")
    alertmanager.alert("PrometheusDown", severity="critical", origin="grafana")
    assert until(sink, ("PrometheusDown", "firing", "grafana")) == [("PrometheusDown", "firing", "grafana")]
    assert alertmanager.suppressed("HighTimeoutEvents")
    assert alertmanager.suppressed("FallbackDepthExceeded")


def test_two_environments_are_two_messages(alertmanager: LiveAlertmanager, sink: Sink) -> None:
    """The same alert of two stacks is two messages, each naming its environment."""
    for name in ("one", "two"):
        alertmanager.alert("ExporterDown", severity="critical", origin="prometheus", environment=name)

    def both() -> None:
        notes = [note for note in sink.notifications() if sink.requests[note.group].path == "/person"]
        assert {note.labels["environment"] for note in notes} == {"one", "two"}
        assert len({note.group for note in notes}) == 2

    eventually(both, within=60)


def test_watchdog_comes_at_every_interval(tmp_path: Path, sink: Sink) -> None:
    """The heartbeat is sent at each tick of its interval, not at every other one, outside and to the inbox alone."""
    secrets = {**TOKEN, "webhook_url": f"{sink.url}/person", "deadman_url": f"{sink.url}/beat"}
    with LiveAlertmanager(tmp_path, secrets, sink.url, factor=30) as running:
        running.alert("Watchdog", severity="none", origin="prometheus")

        def beats() -> list[float]:
            came = [request.at for request in sink.requests if request.path == "/beat"]
            assert len(came) >= 4
            return came

        came = eventually(beats, within=60)
        gaps = [later - sooner for sooner, later in itertools.pairwise(came)]
        assert max(gaps) < 3, f"expected a beat every 2 s (a minute, divided by 30), got gaps of {gaps}"
        assert len(told(sink, "/alerts")) >= 3
        assert not told(sink)


def test_silence_survives_a_crash(
    alertmanager: LiveAlertmanager, sink: Sink, capsys: pytest.CaptureFixture[str]
) -> None:
    """A silence made as the runbook says holds for that alert alone, also after Alertmanager was killed."""
    assert silence.main(["--url", alertmanager.url, "HighFailureRate", "1h", "known"]) == 0
    assert "HighFailureRate is silent until" in capsys.readouterr().out
    file = alertmanager.folder / "data" / "silences"

    def on_disk() -> None:
        assert file.exists()
        assert b"HighFailureRate" in file.read_bytes()

    eventually(on_disk, within=60)
    alertmanager.engine.kill()
    alertmanager.engine.start()
    alertmanager.alert("HighFailureRate", severity="warning", origin="prometheus")
    alertmanager.alert("HighTimeoutEvents", severity="warning", origin="prometheus")
    assert until(sink, ("HighTimeoutEvents", "firing", "prometheus")) == [("HighTimeoutEvents", "firing", "prometheus")]
    assert alertmanager.suppressed("HighFailureRate")


def test_restart_while_it_fires_tells_nobody_twice(alertmanager: LiveAlertmanager, sink: Sink) -> None:
    """What was told before a crash is not told again when Prometheus repeats it afterwards; the end still is."""
    labels = {"severity": "critical", "origin": "prometheus"}
    alertmanager.alert("FallbackDepthExceeded", **labels)
    until(sink, ("FallbackDepthExceeded", "firing", "prometheus"))
    log = alertmanager.folder / "data" / "nflog"
    eventually(lambda: _contains(log, b"webhook"), within=60)
    alertmanager.engine.kill()
    alertmanager.engine.start()
    alertmanager.alert("FallbackDepthExceeded", **labels)
    alertmanager.alert("Control", severity="critical", origin="prometheus")
    until(sink, ("Control", "firing", "prometheus"))
    alertmanager.resolve("FallbackDepthExceeded", **labels)
    got = until(sink, ("FallbackDepthExceeded", "resolved", "prometheus"))
    assert [status for name, status, _ in got if name == "FallbackDepthExceeded"] == ["firing", "resolved"]


def _contains(path: Path, word: bytes) -> None:
    assert path.exists()
    assert word in path.read_bytes()
