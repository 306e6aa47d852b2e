"""A person's look at a page: a headless Chromium that logs in, opens it and says what is wrong with it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from tests.support.grafanas import PASSWORD, Grafana

from rig.programs import ROOT

ARTIFACTS = ROOT / "tests" / "artifacts"
NAMES = ("chromium", "chromium-browser", "google-chrome")
STEADY = Path(__file__).with_name("steady_chromium.py")
"""Starts Chromium so that container networks of the tests beside it do not disturb it."""

ERROR_CORNER = '[data-testid="data-testid Panel status error"]'
NOTHING_SHOWN = '[data-testid="data-testid Panel data error message"]'
"""The place of "No data", and of the words a panel has instead."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a browser, or skip the test where there is none."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on PATH; install Debian's chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=STEADY,
            # Without the sandbox it runs as root too; it opens nothing but this machine's pages.
            args=["--no-sandbox", "--no-proxy-server"],
            env={**os.environ, "CHROMIUM": path},
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def logged_in(grafana: Grafana, width: int, height: int) -> Iterator[Page]:
    """Open a browser's page as Grafana's admin, or skip the test where there is no Chromium.

    It is high enough for the whole dashboard, since Grafana draws only the panels in sight.
    """
    with chromium() as browser:
        page = browser.new_page(viewport={"width": width, "height": height})
        answer = page.request.post(f"{grafana.url}/login", data={"user": "admin", "password": PASSWORD})
        assert answer.ok, f"expected to be logged in, got {answer.status}"
        yield page


def faults(page: Page, titles: list[str]) -> list[str]:
    """List what a person would see wrong: a panel that is not there, is empty, or has an error in its corner."""
    shown = [
        f"no panel {title!r}" for title in titles if not page.get_by_role("heading", name=title, exact=True).count()
    ]
    for panel in page.locator("section[data-testid]").all():
        name = re.sub("^data-testid Panel header ", "", panel.get_attribute("data-testid") or "")
        shown += [f"{name}: {words}" for words in panel.locator(NOTHING_SHOWN).all_inner_texts()]
        shown += [f"{name}: an error corner"] * panel.locator(ERROR_CORNER).count()
        shown += [f"{name}: still loading"] * panel.get_by_label("Panel loading bar").count()
        shown += [f"{name}: nothing drawn"] * (panel.locator("canvas, .uplot").count() == 0)
    return shown


def picture(page: Page, name: str) -> str:
    """Keep a picture of the page among the artifacts, and return its path."""
    ARTIFACTS.mkdir(exist_ok=True)
    path = ARTIFACTS / f"{name}.png"
    page.screenshot(path=path, full_page=True)
    return str(path)
