"""The drill: it can choose who sees an event first, and its table and exit code say what was not as expected."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import drill
from rig.evaluations import Looks, Moment, unix
from rig.exercises import Row
from rig.programs import MissingProgramError, find

ROWS = [
    Row("grafana first", "first message", "within 60 s", "after 16 s", fine=True),
    Row("grafana first", "messages", "1 firing", "2 firing", fine=False),
    Row("prometheus killed", "messages", "1 firing", "1 firing", fine=True),
]
phases = st.floats(0, 15, exclude_max=True)


def first_to_see(looks: Looks, posted: float) -> str:
    """Say who evaluates first after the scrape that brings what was posted."""
    scrape = looks.scrape.after(posted)
    return "prometheus" if looks.prometheus.after(scrape) < looks.grafana.after(scrape) else "grafana"


@given(scrape=phases, prometheus=phases, grafana=phases, first=st.sampled_from(["prometheus", "grafana"]))
def test_an_event_posted_when_it_says_is_seen_first_by_the_chosen_engine(
    scrape: float, prometheus: float, grafana: float, first: str
) -> None:
    """For any phases of the three: either there is such a moment and it is right, or there is none."""
    looks = Looks(Moment(scrape, 15), Moment(prometheus, 15), Moment(grafana, 30))
    at = looks.post_at(first, 1000.0)
    if at is None:
        return
    assert at >= 1000.0
    assert first_to_see(looks, at) == first


def test_where_no_phase_allows_it_there_is_no_moment() -> None:
    """Negative twin: with Prometheus's evaluation soon after each scrape Grafana is never first."""
    looks = Looks(Moment(0.0, 15), Moment(2.0, 15), Moment(10.0, 30))
    assert looks.post_at("grafana", 100.0) is None
    assert looks.post_at("prometheus", 100.0) is not None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0001-01-01T00:00:00Z", 0.0),
        ("1970-01-01T00:01:00.123456789Z", 60.123456),
        ("1970-01-01T01:01:00+01:00", 60.0),
    ],
)
def test_times_of_both_engines_are_read(text: str, seconds: float) -> None:
    """With nanoseconds, with a zone, and the zero time of what did not happen yet."""
    assert unix(text) == pytest.approx(seconds)


def test_the_table_names_each_exercise_once_and_shows_what_is_wrong() -> None:
    """A person sees at a glance which line is not as expected."""
    lines = drill.table(ROWS).splitlines()
    assert [line for line in lines if line in {"grafana first", "prometheus killed"}] == [
        "grafana first",
        "prometheus killed",
    ]
    assert [line.split()[-1] for line in lines if "messages" in line] == ["WRONG", "ok"]


@pytest.mark.parametrize(("rows", "code"), [(ROWS, 1), ([ROWS[0], ROWS[2]], 0)])
def test_the_exit_code_is_the_verdict(
    rows: list[Row], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One wrong line is enough for 1; without any it is 0."""
    monkeypatch.setattr(sys, "argv", ["drill.py"])
    monkeypatch.setattr(drill, "programs", lambda: None)
    monkeypatch.setattr(drill, "drill", lambda *_: rows)
    assert drill.main() == code
    assert f"{len(rows) - code} as expected, {code} not" in capsys.readouterr().out


def test_a_program_that_cannot_be_run_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that names no program is a mistake, not a reason to look elsewhere; nowhere at all says where."""
    monkeypatch.setenv("PROMETHEUS", str(tmp_path / "nothing"))
    with pytest.raises(MissingProgramError, match="PROMETHEUS: expected a program"):
        find("prometheus")
    monkeypatch.delenv("PROMETHEUS")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("EDDIE_TOOLS", str(tmp_path))
    with pytest.raises(MissingProgramError, match="not on PATH"):
        find("prometheus")
