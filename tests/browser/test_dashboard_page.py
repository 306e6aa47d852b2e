"""Station "panel": what a person sees: every panel of the dashboard drawn, none empty, none with an error."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page
from tests.support.alive import tell
from tests.support.browsers import ARTIFACTS, faults, logged_in, picture
from tests.support.eventually import eventually
from tests.support.grafanas import SHIPPED, Grafana, home_or_skip, running
from tests.support.stacks import native

FILE = SHIPPED / "dashboards" / "eddie-distributed-fallback.json"
TITLES = [panel["title"] for panel in json.loads(FILE.read_text())["panels"]]


@pytest.fixture(scope="module")
def grafana(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grafana]:
    """Run a stack and a Grafana, in which a storm has just passed."""
    home_or_skip()
    with native(tmp_path_factory.mktemp("stack"), "exporter", "prometheus", "alertmanager") as stack:
        tell(stack)
        with running(tmp_path_factory.mktemp("grafana"), stack) as started:
            yield started


def look(page: Page, grafana: Grafana, name: str, within: float = 30, **choices: str) -> None:
    """Open the dashboard and fail, with a picture kept, unless nothing is wrong with it in time.

    It looks a step ahead, for the last point is at a multiple of the step: it would be up to half a minute old.
    """
    query = "&".join(f"var-{variable}={value}" for variable, value in choices.items())
    page.goto(f"{grafana.url}/d/eddie-distributed-fallback?from=now-15m&to=now%2B30s&{query}")

    def flawless() -> None:
        assert faults(page, TITLES) == []

    try:
        eventually(flawless, within=within, every=0.5)
    except AssertionError as wrong:
        raise AssertionError(f"{wrong}\nsee {picture(page, name)}") from wrong


@pytest.mark.parametrize("width", [1280, 1920])
def test_every_panel_shows_data(grafana: Grafana, width: int) -> None:
    """All panels are drawn, on a laptop's screen and on a wide one."""
    with logged_in(grafana, width, 2200) as page:
        look(page, grafana, f"dashboard-{width}")


def test_one_agent_and_one_stage_can_be_chosen(grafana: Grafana) -> None:
    """A choice narrows the panels, and empties none."""
    with logged_in(grafana, 1280, 2200) as page:
        look(page, grafana, "dashboard-chosen", agent="demo-marvin", stage="code")


def test_an_empty_panel_is_noticed(grafana: Grafana) -> None:
    """Negative twin: with an agent nobody has heard of, the same look names the empty panel and keeps a picture."""
    with logged_in(grafana, 1280, 2200) as page:
        with pytest.raises(AssertionError, match=r"dashboard-nobody\.png"):
            look(page, grafana, "dashboard-nobody", within=1, agent="nobody")

        def empty() -> None:
            assert "Chunk latency p95 by agent: No data" in faults(page, TITLES)

        eventually(empty, within=30)
    (ARTIFACTS / "dashboard-nobody.png").unlink()
