"""A person's look at the board: a headless Chromium that notes every request, every error and every dialog."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from playwright.sync_api import Browser, Dialog, Page
from tests.support.boards import PANELS, Board
from tests.support.browsers import chromium, picture
from tests.support.eventually import eventually

Scheme = Literal["dark", "light"]

SERIES = """async (id) => {
  const { echarts } = await import("nicegui-echart");
  const of = (element) => {
    const model = echarts.getInstanceByDom(element)?.getModel();
    if (!model) return [];
    return model.getSeries().map((series) => {
      const data = series.getRawData(), points = [];
      const [x, y] = [data.mapDimension("x"), data.mapDimension("y")];
      for (let at = 0; x && y && at < data.count(); at++) points.push([data.get(x, at), data.get(y, at)]);
      return { name: series.name, type: series.subType, points };
    });
  };
  return [...document.querySelectorAll(`[data-panel-id="${id}"] [_echarts_instance_]`)].flatMap(of);
}"""
"""The series of a panel's charts as the library holds them, whatever way they were given to it."""

INKED = """(panel) => [...panel.querySelectorAll("canvas")].some((canvas) => {
  const { width, height } = canvas;
  if (!width || !height) return false;
  const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const pixels = copy.getImageData(0, 0, width, height).data;
  const colours = new Set();
  for (let at = 0; at < pixels.length; at += 4)
    if (pixels[at + 3] > 100) colours.add(`${pixels[at] >> 5},${pixels[at + 1] >> 5},${pixels[at + 2] >> 5}`);
  return colours.size >= 3;
}) || [...panel.querySelectorAll("svg")].some((svg) => svg.querySelectorAll("path").length > 3)"""
"""Whether a picture has more than its background and its grid on it."""


@dataclass
class Look:
    """A page with what happened in it: addresses it asked for, errors in its console, dialogs that opened."""

    page: Page
    asked: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def panel(self, number: int | str) -> Any:
        """Return the locator of a panel."""
        return self.page.locator(f'[data-panel-id="{number}"]')

    def states(self) -> dict[str, str]:
        """Return the state of every panel on the page by its id."""
        found = "all => all.map(each => [each.dataset.panelId, each.dataset.state])"
        return dict(self.page.locator("[data-panel-id]").evaluate_all(found))

    def faults(self, panels: dict[str, str] | None = None) -> list[str]:
        """List what a person would see wrong: a panel that is missing, not well, without its title, or blank."""
        wrong = []
        states = self.states()
        for number, title in (PANELS if panels is None else panels).items():
            if states.get(number) != "ok":
                wrong.append(f"panel {number} ({title}): {states.get(number, 'not there')}")
            elif title not in self.panel(number).inner_text():
                wrong.append(f"panel {number}: no title {title!r}")
            elif not self.panel(number).evaluate(INKED):
                wrong.append(f"panel {number} ({title}): nothing drawn")
        return wrong

    def whole(self, name: str, within: float = 30, panels: dict[str, str] | None = None) -> None:
        """Wait until nothing is wrong with any panel; else fail, with a picture kept."""

        def flawless() -> None:
            wrong = self.faults(panels)
            assert wrong == [], wrong

        try:
            eventually(flawless, within=within, every=0.3)
        except AssertionError as wrong:
            raise AssertionError(f"{wrong}\nconsole: {self.errors}\nsee {picture(self.page, name)}") from wrong

    def series(self, number: int | str) -> list[dict[str, Any]]:
        """Return name and points (milliseconds, number or None) of every series of a panel's chart."""
        found: list[dict[str, Any]] = self.page.evaluate(SERIES, str(number))
        return found


@contextmanager
def looking(
    browser: Browser, address: str = "", *, width: int = 1280, height: int = 800, scheme: Scheme = "dark"
) -> Iterator[Look]:
    """Open a page of its own, on ``address`` if there is one, and note what happens in it."""
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    look = Look(context.new_page())

    def dismissed(dialog: Dialog) -> None:
        look.dialogs.append(dialog.message)
        dialog.dismiss()

    look.page.on("request", lambda request: look.asked.append(request.url))
    look.page.on("websocket", lambda socket: look.asked.append(socket.url))
    look.page.on("console", lambda said: look.errors.append(said.text) if said.type in {"error", "warning"} else None)
    look.page.on("pageerror", lambda error: look.errors.append(str(error)))
    look.page.on("dialog", dismissed)
    try:
        if address:
            look.page.goto(address)
        yield look
    finally:
        context.close()


@contextmanager
def opened(board: Board, width: int = 1280, scheme: Scheme = "dark", **address: Any) -> Iterator[Look]:
    """Open the board's dashboard in a browser of its own."""
    with chromium() as browser, looking(browser, board.page(**address), width=width, scheme=scheme) as look:
        yield look
