"""Station "dashboard": files of dashboards become what the board draws; a bad one costs only itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.answering import page, panel
from tests.support.programs import ROOT

from eddie_board.dashboard import Dashboard, Dashboards


def only(folder: Path, raw: Any, name: str = "page.json") -> Dashboard:
    """Write ``raw`` into ``folder`` and read the only dashboard there."""
    (folder / name).write_text(json.dumps(raw))
    dashboards = Dashboards((folder,))
    (found,) = dashboards.all()
    assert dashboards.faults == {}
    return found


def test_the_shipped_dashboard_is_read_whole() -> None:
    """Each panel of the generated JSON is there with its place, queries and description, and nothing is noted."""
    folder = ROOT / "grafana/provisioning/dashboards"
    (found,) = Dashboards((folder, folder / "nowhere")).all()
    raw = json.loads((folder / "eddie-distributed-fallback.json").read_text())
    shown = [(each.id, each.title, each.x, each.y, each.w, each.h, len(each.targets)) for each in found.panels]
    expected = sorted(raw["panels"], key=lambda each: (each["gridPos"]["y"], each["gridPos"]["x"]))
    assert shown == [
        (each["id"], each["title"], *(each["gridPos"][key] for key in "xywh"), len(each["targets"]))
        for each in expected
    ]
    assert all(each.description for each in found.panels)
    assert [each.name for each in found.variables] == ["datasource", "job", "agent", "stage"]
    assert [each.name for each in found.annotations] == ["Elastic adjustments"]
    assert found.notes == ()


def test_a_panel_that_is_added_appears(tmp_path: Path) -> None:
    """A changed file is read again at the next look, and its digest is another one."""
    (tmp_path / "page.json").write_text(json.dumps(page(panel(1, "up"))))
    dashboards = Dashboards((tmp_path,))
    before = dashboards.get("page")
    assert before is not None
    assert dashboards.get("page") is before
    (tmp_path / "page.json").write_text(json.dumps(page(panel(1, "up"), panel(2, "up"))))
    after = dashboards.get("page")
    assert after is not None
    assert len(after.panels) == 2
    assert after.digest != before.digest
    (tmp_path / "page.json").unlink()
    assert dashboards.all() == ()


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "null",
        '{"uid": "x"}',
        '{"panels": [7]}',
        '{"panels": [{"gridPos": {"x": "left"}}]}',
        '{"panels": [], "templating": {"list": ["agent"]}}',
        '{"apiVersion": "dashboard.grafana.app/v2beta1", "spec": {"elements": {}}}',
        "\ud800",
    ],
)
def test_a_bad_file_is_named_and_the_others_are_shown(tmp_path: Path, content: str) -> None:
    """One file that is no dashboard is a sentence with its name; its neighbour stays."""
    (tmp_path / "bad.json").write_bytes(content.encode("utf-8", "surrogatepass"))
    (tmp_path / "good.json").write_text(json.dumps(page(panel(1, "up"))))
    dashboards = Dashboards((tmp_path,))
    assert [each.uid for each in dashboards.all()] == ["page"]
    assert list(dashboards.faults) == ["bad.json"]
    assert "bad.json" in dashboards.faults["bad.json"]


def test_a_mended_file_is_no_fault_any_more(tmp_path: Path) -> None:
    """The sentence goes when the file is good."""
    (tmp_path / "page.json").write_text("{")
    dashboards = Dashboards((tmp_path,))
    assert dashboards.all() == ()
    (tmp_path / "page.json").write_text(json.dumps(page(panel(1, "up"))))
    assert len(dashboards.all()) == 1
    assert dashboards.faults == {}


def test_a_missing_folder_is_said_but_not_of_own_dashboards(tmp_path: Path) -> None:
    """The shipped dashboards must be there; a folder of one's own may be missing, and links to nowhere cost nothing."""
    own = tmp_path / "own"
    assert Dashboards((tmp_path, own)).all() == ()
    missing = Dashboards((own, tmp_path))
    (tmp_path / "link.json").symlink_to(tmp_path / "gone")
    assert missing.all() == ()
    assert "EDDIE_DASHBOARDS_PATH" in missing.faults["own"]
    assert "link.json cannot be read" in missing.faults["link.json"]


def test_two_files_with_one_uid_are_said(tmp_path: Path) -> None:
    """The first is shown, the second is named: Grafana would not know either which one is meant."""
    (tmp_path / "a.json").write_text(json.dumps(page(panel(1, "up"))))
    (tmp_path / "b.json").write_text(json.dumps(page()))
    dashboards = Dashboards((tmp_path,))
    assert len(dashboards.all()[0].panels) == 1
    assert "another dashboard" in dashboards.faults["b.json"]


def test_folded_rows_are_unfolded(tmp_path: Path) -> None:
    """The panels of a folded row stand below it, and what came after the row stands below them."""
    inner = [
        panel(3, "up", gridPos={"x": 0, "y": 9, "w": 12, "h": 7}),
        panel(4, "up", gridPos={"x": 12, "y": 9, "w": 12, "h": 5}),
    ]
    row = {
        "id": 2,
        "type": "row",
        "collapsed": True,
        "title": "More",
        "gridPos": {"x": 0, "y": 8, "w": 24, "h": 1},
        "panels": inner,
    }
    after = panel(5, "up", gridPos={"x": 0, "y": 9, "w": 24, "h": 8})
    found = only(tmp_path, page(panel(1, "up", gridPos={"x": 0, "y": 0, "w": 24, "h": 8}), row, after))
    assert [(each.id, each.y) for each in found.panels] == [(1, 0), (2, 8), (3, 9), (4, 9), (5, 16)]


def test_what_is_missing_has_grafanas_default(tmp_path: Path) -> None:
    """A file by hand: no uid, no ids, no places, two equal ids, the API's envelope; all of it is shown."""
    bare = {"type": "stat", "targets": [{"expr": "up"}]}
    found = only(tmp_path, {"dashboard": {"panels": [bare, {**bare, "id": 7}, {**bare, "id": 7}]}}, "by-hand.json")
    assert (found.uid, found.title, found.time_from) == ("by-hand", "by-hand", "now-6h")
    assert sorted(each.id for each in found.panels) == [7, 8, 9]
    assert [each.y for each in found.panels] == [0, 8, 16]
    assert all(each.raw["id"] == each.id for each in found.panels)


def test_what_the_board_cannot_do_is_noted(tmp_path: Path) -> None:
    """Repeated panels, times of their own and unknown kinds of variables are sentences, not silence."""
    odd = {"name": "where", "type": "adhoc"}
    other = {"name": "metric", "type": "query", "query": "metrics(eddie)"}
    raw = page(panel(1, "up", repeat="agent", timeShift="1h"), templating={"list": [odd, other]})
    notes = " ".join(only(tmp_path, raw).notes)
    for word in ("repeats by $agent", "time of its own", "adhoc", "metrics(eddie)"):
        assert word in notes
