"""Station "view": the address says what is shown, as Grafana's does, and nothing in it can break the page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.answering import page, panel

from eddie_board import times
from eddie_board.dashboard import Dashboard, Dashboards
from eddie_board.errors import ViewError
from eddie_board.view import View

NOW = 1_800_000_000.0


@pytest.fixture
def dashboard(tmp_path: Path) -> Dashboard:
    """Return a dashboard of two panels and the variable agent, over six hours."""
    (tmp_path / "page.json").write_text(json.dumps(page(panel(1, "up"), panel(5, "up"))))
    return Dashboards((tmp_path,)).all()[0]


def test_an_empty_address_is_the_dashboards_own_view(dashboard: Dashboard) -> None:
    """Without parameters it is what the file opens with."""
    assert View.read([], dashboard) == View("now-6h", "now", {"agent": ("$__all",)})


@pytest.mark.parametrize("alone", ["5", "panel-5"])
def test_a_copied_address_restores_the_view(dashboard: Dashboard, alone: str) -> None:
    """What parameters() writes reads as the same view: time, several agents in order, the panel alone."""
    hostile = "<img src=x onerror=alert(1)>\"'\\|.*"
    given = [("from", "now-1h"), ("to", "now"), ("var-agent", hostile), ("var-agent", "ford"), ("viewPanel", alone)]
    view = View.read(given, dashboard)
    assert view == View("now-1h", "now", {"agent": (hostile, "ford")}, 5)
    assert view.parameters(dashboard) == [*given[:-1], ("viewPanel", "panel-5")]
    assert View.read(view.parameters(dashboard), dashboard) == view


def test_grafanas_other_parameters_are_no_mistakes(dashboard: Dashboard) -> None:
    """Links of Grafana carry an organisation, a refresh and a data source; they change nothing."""
    given = [("orgId", "1"), ("refresh", "30s"), ("timezone", "browser"), ("var-agent", "$__all"), ("kiosk", "")]
    assert View.read(given, dashboard) == View.read([], dashboard)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("from", "yesterday"), "now-6h"),
        (("from", "now-1fortnight"), "expected a time"),
        (("from", "now+1h"), "begins before it ends"),
        (("to", "1" * 40), "expected a time"),
        (("to", "99991231T235959"), "expected a time"),
        (("from", "now-999999y"), "expected a time"),
        (("viewPanel", "77"), "no panel “77”"),
        (("viewPanel", "panel-5; drop"), "no panel"),
        (("var-nobody", "x"), "no variable “nobody”"),
    ],
)
def test_what_is_bad_is_the_default_and_a_note(dashboard: Dashboard, given: tuple[str, str], said: str) -> None:
    """A bad value costs itself: the rest of the view is the dashboard's, and one sentence says what was wrong."""
    view = View.read([given], dashboard)
    assert (view.start_text, view.end_text, view.panel, view.choices) == ("now-6h", "now", None, {"agent": ("$__all",)})
    (note,) = view.notes
    assert said in note


def test_a_thousand_values_are_cut(dashboard: Dashboard) -> None:
    """A link of a thousand agents is two hundred, and says so; ten thousand unknown variables are ten notes."""
    view = View.read([("var-agent", str(number)) for number in range(1000)], dashboard)
    assert len(view.choices["agent"]) == 200
    assert "200 values at most" in view.notes[0]
    assert len(View.read([(f"var-{number}", "x" * 10_000) for number in range(10_000)], dashboard).notes) == 10


def test_a_window_is_a_minute_at_least(dashboard: Dashboard) -> None:
    """Ten seconds are a minute: less would hold no two scrapes."""
    window = View.read([("from", "now-10s")], dashboard).window(NOW)
    assert (window.start, window.end) == (NOW - 60, NOW)


@pytest.mark.parametrize(
    ("text", "up", "at"),
    [
        ("now", False, NOW),
        ("now-6h", False, NOW - 21_600),
        ("now-1d-30m", False, NOW - 88_200),
        ("now/d", False, 1_799_971_200),
        ("now/d", True, 1_800_057_599.999),
        ("now-1M/M", False, 1_796_083_200),
        ("1799999999500", False, 1_799_999_999.5),
        ("2027-01-15T08:00:00.000Z", False, NOW),
        ("2027-01-15T09:00:00+01:00", False, NOW),
        ("2027-01-15 08:00:00", False, NOW),
    ],
)
def test_times_are_read_as_grafana_writes_them(text: str, at: float, *, up: bool) -> None:
    """Relative, rounded, milliseconds and dates; without a zone it is UTC."""
    assert times.read(text, NOW, up=up) == pytest.approx(at, abs=0.002)


@pytest.mark.parametrize("text", ["", "now-", "now-6", "now/x", "-5", "1e9", "now-6h\n; x", "nan", "2027-13-01", "٣"])
def test_what_is_no_time_is_said(text: str) -> None:
    """Everything else is one sentence that repeats it."""
    with pytest.raises(ViewError, match="expected a time"):
        times.read(text, NOW)
