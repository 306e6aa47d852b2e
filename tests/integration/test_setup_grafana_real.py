"""Station "panel", in somebody's own Grafana: a real one is set up, repaired and left as it was found."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.foreign_grafana import DASHBOARD, POLICIES, RULES, Foreign, somebodys, unchanged
from tests.support.grafanas import PASSWORD

import setup_grafana_metrics as script

ALL_RULES = ["HighTimeoutEvents", "FallbackDepthExceeded", "HighFailureRate", "PrometheusDown"]
WRITES = {"POST", "PUT", "DELETE"}


@pytest.fixture(scope="module")
def grafana(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foreign]:
    """Run somebody's Grafana beside a Prometheus that scrapes ours but has no alerts."""
    with somebodys(tmp_path_factory.mktemp("somebodys")) as started:
        yield started


@pytest.fixture
def clean(grafana: Foreign) -> Iterator[Foreign]:
    """Hand out the Grafana, and see that after the test's uninstall it is what it was before."""
    with unchanged(grafana, "default", "eu", "us"):
        yield grafana


def test_whole_life_leaves_no_trace(clean: Foreign) -> None:
    """Dry run, setup, setup again, check, uninstall: exit 0 each, and the state at the end is the state before."""
    before = clean.export()
    planned = clean.alerting("--dry-run")
    assert (planned.code, planned.actions) == (script.DONE, {"would create"})
    assert clean.export() == before
    made = clean.alerting()
    assert made.code == script.DONE, made.text
    assert made.named("created") == planned.named("would create")
    assert set(made.named("verified")) >= {f"alert rule {name} (default)" for name in ALL_RULES}
    assert "no data yet" in made.words("verified")
    after = clean.export()
    assert clean.get(POLICIES) == json.loads(before)["policies"]
    again = clean.alerting()
    assert (again.code, again.actions) == (script.DONE, {"unchanged", "verified", "open"}), again.text
    assert clean.alerting("--check").code == script.DONE
    assert clean.export() == after
    gone = clean.run("--uninstall", prometheus="")
    assert gone.code == script.DONE, gone.text
    assert clean.export() == before


def test_uninstall_of_nothing_changes_nothing(clean: Foreign) -> None:
    """Where nothing was set up, there is nothing to take away, and that is no fault."""
    before = clean.export()
    done = clean.run("--uninstall", prometheus="")
    assert (done.code, done.actions) == (script.DONE, {"unchanged"}), done.text
    assert clean.export() == before


def test_edits_in_the_pages_are_named_and_repaired(clean: Foreign) -> None:
    """A rule and a dashboard that somebody edited are drift, exit 3, by name; setup repairs both."""
    clean.alerting("--environment", "eu")
    wanted = clean.export()
    for edit in (threshold, paused, relabelled, moved):
        edit(clean)
        retitled(clean)
        checked = clean.alerting("--environment", "eu", "--check")
        assert checked.code == script.DRIFT
        assert checked.named("differs") == ["dashboard Distributed fallback", "alert rules eddie-eu-fallback"]
        repaired = clean.alerting("--environment", "eu")
        assert repaired.code == script.DONE, repaired.text
        assert clean.export() == wanted
    removed_panel(clean)
    assert clean.alerting("--environment", "eu", "--check").named("differs") == ["dashboard Distributed fallback"]
    assert clean.alerting("--environment", "eu").named("updated") == ["dashboard Distributed fallback"]
    assert clean.export() == wanted


def edit_rule(grafana: Foreign, **changes: Any) -> None:
    """Change a rule of ours as the rule's page does."""
    rule = grafana.rule("eddie-eu-high-timeout-events")
    grafana.done("PUT", f"{RULES}/{rule['uid']}", {**rule, **changes})


def threshold(grafana: Foreign) -> None:
    """Raise the threshold of a rule."""
    data = grafana.rule("eddie-eu-high-timeout-events")["data"]
    data[1]["model"]["conditions"][0]["evaluator"]["params"] = [1000]
    edit_rule(grafana, data=data)


def paused(grafana: Foreign) -> None:
    """Pause a rule."""
    edit_rule(grafana, isPaused=True)


def relabelled(grafana: Foreign) -> None:
    """Give a rule other labels."""
    edit_rule(grafana, labels={"severity": "none"})


def moved(grafana: Foreign) -> None:
    """Move a rule to another folder and group."""
    edit_rule(grafana, folderUID="their-folder", ruleGroup="elsewhere")


def edit_board(grafana: Foreign, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change our dashboard as its page does."""
    board = grafana.get(DASHBOARD)["dashboard"]
    change(board)
    grafana.done("POST", "/api/dashboards/db", {"dashboard": board, "folderUid": "eddie-metrics"})


def retitled(grafana: Foreign) -> None:
    """Give a panel another title, and take all tags off."""

    def change(board: dict[str, Any]) -> None:
        board["panels"][0]["title"], board["tags"] = "Mine", []

    edit_board(grafana, change)


def removed_panel(grafana: Foreign) -> None:
    """Remove a panel."""
    edit_board(grafana, lambda board: board["panels"].pop())


class Killed(BaseException):
    """The process is gone."""


def test_killed_at_any_write_the_next_run_finishes(clean: Foreign, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut off before or after any write of a setup, or of an uninstall, the next run does the rest."""
    before, once = clean.export(), script.Api.once
    clean.alerting()
    wanted = clean.export()

    def dying(at: int, *, after: bool) -> Callable[..., Any]:
        left = [at]

        def asked(api: script.Api, method: str, path: str, *more: Any) -> Any:
            writes = method in WRITES and path != "/api/ds/query"
            left[0] -= writes
            if writes and left[0] == 0 and not after:
                raise Killed
            answer = once(api, method, path, *more)
            if writes and left[0] == 0:
                raise Killed
            return answer

        return asked

    def cut(at: int, *options: str, after: bool) -> bool:
        with monkeypatch.context() as patch:
            patch.setattr(script.Api, "once", dying(at, after=after))
            try:
                clean.alerting(*options)
            except Killed:
                return True
        return False

    for after in (False, True):
        at = 1
        while cut(at, "--uninstall", after=after):
            assert clean.run("--uninstall").code == script.DONE
            assert clean.export() == before
            assert cut(at, after=after)
            with monkeypatch.context() as quick:
                quick.setattr(script, "verify", lambda *_: script.DONE)
                assert clean.alerting().code == script.DONE
            assert clean.export() == wanted
            at += 1
        assert at > 6
        with monkeypatch.context() as quick:
            quick.setattr(script, "verify", lambda *_: script.DONE)
            clean.alerting()


def test_roles_get_the_outcome_or_the_right_message(clean: Foreign) -> None:
    """Without a data source to use, Editor, Viewer and a role without rights stop before the first write, told why."""
    before = clean.export()
    stopped = {role: clean.alerting(role=role) for role in ("Editor", "Viewer", "None")}
    assert {run.code for run in stopped.values()} == {script.DENIED}
    words = {role: run.words("STOPPED") for role, run in stopped.items()}
    assert "missing: datasources:create; the role Admin has it. Nothing was written" in words["Editor"]
    assert "missing: datasources:create, folders:create, dashboards:create, alert.notifications" in words["Viewer"]
    assert "datasources:read; the role Viewer has it" in words["None"]
    assert clean.export() == before
    assert clean.alerting("--dry-run", role="Viewer").code == script.DONE


def test_editor_is_enough_where_a_data_source_is_there(clean: Foreign) -> None:
    """The least of Grafana's roles that can set all of it up, and take it away, is Editor; a Viewer can check."""
    clean.source("shared", clean.stack.url("prometheus"))
    try:
        made = clean.alerting(role="Editor")
        assert made.code == script.DONE, made.text
        assert clean.alerting(role="Editor").actions == {"unchanged", "verified", "open"}
        assert clean.alerting("--check", role="Viewer").code == script.DONE
        refused = clean.run("--uninstall", role="Viewer")
        assert refused.code == script.DENIED
        assert "the role Editor has it. Nothing was written" in refused.words("STOPPED")
        assert clean.run("--uninstall", role="Editor").code == script.DONE
        assert len(clean.get(RULES)) == 1
    finally:
        clean.done("DELETE", "/api/datasources/uid/shared")


def test_editor_cannot_take_a_data_source_away(clean: Foreign) -> None:
    """What Admin set up an Editor may run again, unchanged; its data source goes with an Admin's uninstall only."""
    clean.alerting()
    assert clean.alerting(role="Editor").code == script.DONE
    before = clean.export()
    refused = clean.run("--uninstall", role="Editor")
    assert refused.code == script.DENIED
    assert "datasources:delete; the role Admin has it. Nothing was written" in refused.words("STOPPED")
    assert clean.export() == before


def test_folder_that_was_closed_to_editors(clean: Foreign) -> None:
    """A right that Grafana's list of permissions promises and the folder denies is exit 4, with what is missing."""
    clean.source("shared", clean.stack.url("prometheus"))
    clean.done("POST", "/api/folders", {"uid": "eddie-metrics", "title": "Eddie"})
    clean.done("POST", "/api/folders/eddie-metrics/permissions", {"items": []})
    try:
        stopped = clean.alerting(role="Editor")
        assert stopped.code == script.DENIED, stopped.text
        assert "folders:read; the role Viewer has it, unless it is restricted there" in stopped.words("STOPPED")
    finally:
        clean.done("DELETE", "/api/datasources/uid/shared")


def test_command_line_as_a_person_runs_it(clean: Foreign, tmp_path: Path) -> None:
    """The file runs with the plain interpreter from anywhere, and prints a line a thing and links."""
    command = [sys.executable, "-I", script.__file__, "--grafana-url", clean.url, "--user", "admin", "--org-id", "1"]
    command += ["--prometheus-url", clean.stack.url("prometheus"), "--no-alerts"]
    (tmp_path / "password").write_text(PASSWORD)
    command += ["--password-file", str(tmp_path / "password")]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == script.DONE, done.stdout + done.stderr
    assert "created    folder Eddie\n" in done.stdout
    assert f"{clean.url}/d/eddie-distributed-fallback?var-datasource=eddie-prometheus-default" in done.stdout


def test_what_does_not_work_is_said(clean: Foreign) -> None:
    """A Prometheus that Grafana does not reach: exit 7 with Prometheus's words, and no drift for --check to name."""
    dead = clean.run("--no-alerts", prometheus="http://127.0.0.1:9")
    assert dead.code == script.UNVERIFIED, dead.text
    assert {each["action"] for each in dead.things if each["name"].startswith(("panel", "data source"))} == {"FAILED"}
    assert "connection refused" in dead.words("FAILED")
    assert "results" not in dead.words("FAILED")
    assert clean.run("--no-alerts", "--check", prometheus="http://127.0.0.1:9").code == script.DONE
