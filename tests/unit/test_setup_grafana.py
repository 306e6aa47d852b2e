"""Station "panel", in somebody's own Grafana: whatever a call is answered, one line says it; the next run ends well."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.scripted_grafana import Fault, Handler, State, serving

import setup_grafana_metrics as script


def status(code: int, message: str, **headers: str) -> Fault:
    """Answer as Grafana refuses."""
    return lambda request: request.answer(code, {"message": message}, **headers)


def reset(request: Handler) -> None:
    """Break the connection off."""
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.connection.close()


def half_an_error(request: Handler) -> None:
    """Say that it went wrong, and break off before saying how."""
    request.send_response(500)
    request.send_header("Content-Length", "100")
    request.end_headers()
    request.wfile.write(b"oops")
    request.close_connection = True


def silence(request: Handler) -> None:
    """Answer nothing until the other side has given up."""
    request.connection.settimeout(5)
    request.connection.recv(1)
    request.close_connection = True


NEEDED = "You'll need additional permissions to perform this action. Permissions needed: folders:create"
FAULTS: dict[str, tuple[Fault, int, str]] = {
    "401": (status(401, "Invalid API key"), script.DENIED, "does not take this token"),
    "403": (status(403, NEEDED), script.DENIED, "permission missing: folders:create; the role Editor has it"),
    "409": (status(409, "name exists"), script.TAKEN, "(409): name exists"),
    "412": (status(412, "version-mismatch"), script.TAKEN, "(412): version-mismatch"),
    "422": (status(422, "bad rule"), script.REFUSED, "(422): bad rule"),
    "429": (status(429, "slow down", Retry_After="2"), script.REFUSED, "429"),
    "500": (status(500, "database is locked"), script.REFUSED, "500"),
    "time-out": (silence, script.REFUSED, "timed out"),
    "reset": (reset, script.REFUSED, "Grafana"),
    "HTML": (lambda request: request.answer(200, "<h1>Welcome</h1>", "text/html"), script.REFUSED, "instead of JSON"),
    "login page": (lambda request: request.answer(302, "", Location="/login"), script.REFUSED, "login page"),
    "half an error": (half_an_error, script.REFUSED, "500"),
    "half an answer": (lambda request: request.answer(200, '{"half'), script.REFUSED, "broken JSON"),
}


@pytest.fixture
def grafana(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, State]]:
    """Serve an empty Grafana; nobody waits in these tests."""
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with serving() as served:
        yield served


def run(url: str, folder: Path, *more: str) -> int:
    """Run the script as a person would, against ``url`` for all three programs."""
    token = folder / "token"
    token.write_text("a token\n")
    given = ["--grafana-url", url, "--token-file", str(token), "--timeout", "5", "--wait", "0"]
    return script.main([*given, "--prometheus-url", url, "--alertmanager-url", url, *more])


def calls_of_a_setup(folder: Path) -> dict[tuple[str, str], int]:
    """Return each different call a first run makes to Grafana, and when it comes first.

    What goes to Prometheus and Alertmanager is left out: a fault there has other consequences.
    """
    with serving() as (url, state):
        assert run(url, folder) == script.DONE
        first = {call: state.calls.index(call) for call in state.calls}
    return {call: at for call, at in first.items() if not call[1].startswith(("/api/v1/rules", "/api/v1/s", "/api/v2"))}


def test_a_first_run_makes_everything_and_a_second_changes_nothing(
    grafana: tuple[str, State], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Set up twice: the second run says unchanged of each thing, and writes nothing."""
    url, state = grafana
    assert run(url, tmp_path) == script.DONE
    assert "created" in capsys.readouterr().out
    kept, seen = state.kept(), len(state.calls)
    assert run(url, tmp_path) == script.DONE
    assert state.kept() == kept
    assert {method for method, path in state.calls[seen:] if path != "/api/ds/query"} == {"GET"}
    said = capsys.readouterr().out
    assert "unchanged" in said
    assert "created" not in said


def test_a_dry_run_writes_nothing(grafana: tuple[str, State], tmp_path: Path) -> None:
    """Show the plan: an empty Grafana stays empty, and only GET is used."""
    url, state = grafana
    assert run(url, tmp_path, "--dry-run") == script.DONE
    assert state.kept() == State().kept()
    assert {method for method, _ in state.calls} == {"GET"}


def test_uninstall_leaves_an_empty_grafana_empty(grafana: tuple[str, State], tmp_path: Path) -> None:
    """What was made is taken away, all of it."""
    url, state = grafana
    run(url, tmp_path)
    assert run(url, tmp_path, "--uninstall") == script.DONE
    assert state.kept() == State().kept()


def test_check_names_drift(grafana: tuple[str, State], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A rule somebody changed is named, with exit 3; after another set-up there is none."""
    url, state = grafana
    run(url, tmp_path)
    state.groups["eddie-default-fallback"]["rules"][0]["for"] = "9m"
    capsys.readouterr()
    assert run(url, tmp_path, "--check") == script.DRIFT
    assert "differs    alert rules eddie-default-fallback" in capsys.readouterr().out
    run(url, tmp_path)
    assert run(url, tmp_path, "--check") == script.DONE


@pytest.mark.parametrize("name", FAULTS)
def test_every_call_may_fail(
    name: str, grafana: tuple[str, State], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whichever call it is that fails for good: the right exit code, one line, no traceback; the next run completes."""
    url, state = grafana
    fault, code, words = FAULTS[name]
    for call, number in calls_of_a_setup(tmp_path).items():
        if number and name == "time-out" and call[0] == "GET":
            continue  # each costs its time-out; the first GET and all writes are enough
        state.__dict__.update(State().__dict__)
        state.fault, state.fail_at = fault, number
        capsys.readouterr()
        got = run(url, tmp_path, *(["--timeout", "0.3"] if name == "time-out" else []))
        captured = capsys.readouterr()
        assert (got, captured.err) == (code, ""), f"call {number} {call}: {captured.out}"
        assert words in captured.out, f"call {number} {call}: {captured.out}"
        assert "Traceback" not in captured.out
        state.fault = None
        assert run(url, tmp_path) == script.DONE, f"after call {number} {call}: {capsys.readouterr().out}"


@pytest.mark.parametrize("name", ["429", "500", "reset", "half an answer"])
def test_a_passing_fault_is_survived(name: str, grafana: tuple[str, State], tmp_path: Path) -> None:
    """Whichever call fails once, in a way that passes: the same run completes."""
    url, state = grafana
    for number in calls_of_a_setup(tmp_path).values():
        state.__dict__.update(State().__dict__)
        state.fault, state.fail_at, state.fail_times = FAULTS[name][0], number, 1
        assert run(url, tmp_path, "--wait", "5") == script.DONE, state.calls[number]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--environment", "a b"], "--environment"),
        (["--prometheus-url", "prometheus:9090"], "--prometheus-url"),
        (["--prometheus-url", "http://prometheus:port"], "--prometheus-url"),
        (["--prometheus-url", "http://prometheus:99999"], "--prometheus-url"),
        (["--grafana-url", "http://[::1"], "--grafana-url"),
        (["--grafana-url", "http://127.0.0.1/?orgId=1"], "--grafana-url"),
        (["--alertmanager-url", "http://me:secret@alertmanager"], "without a password"),
        (["--user", "admin"], "--password-file together"),
        (["--token-file", "/nowhere"], "/nowhere"),
        (["--ca-file", "/nowhere"], "--ca-file"),
    ],
)
def test_usage_is_said(
    more: list[str], words: str, grafana: tuple[str, State], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong option is exit 2, named, and nothing was asked."""
    url, state = grafana
    assert run(url, tmp_path, *more) == script.USAGE
    assert words in capsys.readouterr().out
    assert state.calls == []


def test_a_token_no_header_can_hold_is_not_printed(
    grafana: tuple[str, State], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A token with a line end of another system is a usage error, at once, and stays secret."""
    url, state = grafana
    given = ["--grafana-url", url, "--prometheus-url", url, "--api-key", "glsa_secret\r"]
    assert script.main(given) == script.USAGE
    said = "".join(capsys.readouterr())
    assert "--api-key" in said
    assert "glsa_secret" not in said
    assert state.calls == []


def test_an_answer_nobody_can_read_is_said(
    grafana: tuple[str, State], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whichever answer is JSON of another shape: one line that names the call, no traceback; the next run completes."""
    url, state = grafana
    codes = {}
    reads = {call: number for call, number in calls_of_a_setup(tmp_path).items() if call[0] == "GET"}
    for call, number in reads.items():
        state.__dict__.update(State().__dict__)
        state.fault, state.fail_at = (lambda request: request.answer(200, {"strange": ["yes"]})), number
        state.fail_times = 1
        capsys.readouterr()
        codes[call] = run(url, tmp_path)
        said = capsys.readouterr().out
        assert codes[call] != script.USAGE, f"{call}: {said}"
        state.fault = None
        assert run(url, tmp_path) == script.DONE, f"after call {number} {call}: {capsys.readouterr().out}"
    refused = [path for (_, path), code in codes.items() if code == script.REFUSED]
    assert {"/api/datasources", "/api/v1/provisioning/alert-rules"} < set(refused)


@pytest.mark.parametrize("body", [[], None, {"status": "success"}, {"data": {}}])
def test_a_prometheus_that_answers_strangely_is_said(
    body: object, grafana: tuple[str, State], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What stands at --prometheus-url speaks JSON and is no Prometheus: the words say so, and a way out."""
    url, _ = grafana
    with serving() as (other, strange):
        strange.fault, strange.fail_at = (lambda request: request.answer(200, body)), 0
        assert run(url, tmp_path, "--prometheus-url", other) == script.REFUSED
    assert "as Prometheus does; it has to say which alerts it has, or say --no-alerts" in capsys.readouterr().out


def test_an_address_of_theirs_that_is_none_is_left_alone(grafana: tuple[str, State], tmp_path: Path) -> None:
    """A data source of somebody's whose address nobody can read is not ours, and no reason to stop."""
    url, state = grafana
    theirs = {"uid": "x", "name": "x", "type": "prometheus", "url": "http://prometheus:${PORT}", "jsonData": {}}
    state.sources["x"] = dict(theirs)
    assert run(url, tmp_path) == script.DONE
    assert state.sources["x"] == theirs


def test_something_that_is_not_grafana_is_said(
    grafana: tuple[str, State], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An address that answers 200 and JSON, but not Grafana's, gets nothing written."""
    url, state = grafana
    state.fault, state.fail_at = (lambda request: request.answer(200, {"status": "up"})), 0
    assert run(url, tmp_path) == script.REFUSED
    assert "is not a Grafana" in capsys.readouterr().out


def test_a_taken_uid_stops(grafana: tuple[str, State], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A dashboard, or a rule, of somebody else with our uid is left as it is, and named with exit 5."""
    url, state = grafana
    state.dashboards["eddie-distributed-fallback"] = {"dashboard": {"title": "Mine", "tags": []}, "meta": {}}
    assert run(url, tmp_path) == script.TAKEN
    assert "not ours" in capsys.readouterr().out
    assert state.dashboards["eddie-distributed-fallback"]["dashboard"]["title"] == "Mine"


def test_alerts_that_would_page_twice_are_left_out(
    grafana: tuple[str, State], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Prometheus has the same alerts and Alertmanager no inhibition: only PrometheusDown is set up, --check says 3."""
    url, state = grafana
    state.prometheus_rules = [{"name": name, "labels": {"origin": "prometheus"}} for name in ("HighFailureRate",)]
    assert run(url, tmp_path) == script.DONE
    assert [rule["title"] for rule in state.rules()] == ["PrometheusDown (default)"]
    assert "inhibit_rules:" in capsys.readouterr().out
    assert run(url, tmp_path, "--check") == script.DRIFT
