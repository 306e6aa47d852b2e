"""Station "board": what an event says is text wherever it comes to light: legend, tooltip, picker, alert."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser
from tests.support.board_pages import Look, looking
from tests.support.boards import PANELS, Board, standing
from tests.support.browsers import chromium
from tests.support.eventually import eventually

HOSTILE = (
    "<img src=x onerror=window.hacked=1>",
    "<script>window.hacked=2</script>",
    """a"quote'd\\back`tick""",
    "𝕏" * 128,
    "{b}",
    "${window.hacked=3}",
    "{{constructor.constructor('window.hacked=4')()}}",
    "javascript:window.hacked=5",
)
"""Names that are markup to a page, formatting to a chart library, templates to a framework, or just long."""


def said_by(name: str) -> list[dict[str, Any]]:
    """Return what an agent of this name says, once for each panel that shows agents."""
    lease = {"chunk_id": f"{name[:40]}-{time.time()}", "lease_seconds": 600}
    return [
        {"kind": "timeout", "agent_id": name, "reason": "deadline"},
        {"kind": "chunk-execution", "agent_id": name, "seconds": 2.5},
        {"kind": "chunk-started", "agent_id": name, **lease},
    ]


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """Run a board on a stack whose agents have such names, sent through the real exporter."""
    with standing(tmp_path_factory.mktemp("board"), hours=0) as started:
        stack = started.stack
        stack.scraped(time.time())
        for _ in range(4):
            stack.post("\n".join(json.dumps(event) for name in HOSTILE for event in said_by(name)).encode())
            stack.scraped(time.time())
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start one browser for all looks."""
    with chromium() as started:
        yield started


def unharmed(look: Look) -> None:
    """Fail if any name was taken for more than text."""
    assert look.page.evaluate("typeof window.hacked") == "undefined", "expected nothing of an event to run"
    assert look.dialogs == []
    assert look.errors == []
    assert look.page.locator('img[src="x"]').count() == 0


def test_names_are_text_in_the_legend(board: Board, browser: Browser) -> None:
    """Each name stands in the legend letter by letter, on the panel alone and among the others."""
    for panel in (None, 4):
        with looking(browser, board.page(panel, start="now-5m")) as look:
            look.whole("board-hostile", panels={"4": PANELS["4"]})

            def named(look: Look = look) -> None:
                words = look.panel(4).evaluate("(panel) => panel.textContent")
                assert [name for name in HOSTILE if name not in words] == []

            eventually(named, within=60)
            unharmed(look)


@pytest.mark.parametrize("panel", ["2", "4", "9"])
def test_names_are_text_in_the_tooltip(board: Board, browser: Browser, panel: str) -> None:
    """Hovering over a chart shows the names letter by letter, and runs none of them."""
    with looking(browser, board.page(panel, start="now-2m"), height=1000) as look:
        look.whole("board-hover", panels={panel: PANELS[panel]})
        box = look.panel(panel).locator("canvas").first.bounding_box()
        assert box

        def hovered() -> None:
            for share in (0.97, 0.9, 0.8, 0.6, 0.4):
                look.page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] * 0.4)
                look.page.mouse.move(box["x"] + box["width"] * share + 2, box["y"] + box["height"] * 0.4)
                tips = look.page.locator(".eddie-tooltip").all_text_contents()
                if any(all(name in tip for name in HOSTILE) for tip in tips):
                    return
            raise AssertionError(f"expected all names in the tooltip, got {tips}")

        eventually(hovered, within=60)
        unharmed(look)


def test_names_are_text_in_the_picker_and_in_the_address(board: Board, browser: Browser) -> None:
    """A hostile name can be chosen by the address, is sent to Prometheus as a name, and shown as chosen."""
    for name in HOSTILE:
        with looking(browser, board.page(4, start="now-5m", agent=name)) as look:
            look.whole("board-hostile-chosen", panels={"4": PANELS["4"]})
            assert [each["name"] for each in look.series(4) if each["name"] in HOSTILE] == [name]
            unharmed(look)


def test_markup_in_the_address_is_text(board: Board, browser: Browser) -> None:
    """What the address says wrongly is said back as text."""
    for name in HOSTILE:
        with looking(browser, board.page(start=name, agent=f"no {name}", stage=name)) as look:
            look.page.wait_for_selector("[data-panel-id]")
            unharmed(look)


def test_harm_would_be_noticed(board: Board, browser: Browser) -> None:
    """Negative twin: the same check fails where a name becomes markup."""
    with looking(browser, board.page()) as look:
        look.page.wait_for_selector("[data-panel-id]")
        look.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x>')")
        with pytest.raises(AssertionError):
            unharmed(look)
