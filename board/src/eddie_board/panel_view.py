"""Station *page*: one panel as one element; what it shows is shared by all viewers, only its state is its own."""

from __future__ import annotations

import math

from nicegui.element import Element

# Its package tells the browser where ECharts is; the charts themselves are drawn by static/plot.js.
from nicegui.elements import echart as _echart  # noqa: F401

from eddie_board.dashboard import Panel
from eddie_board.drawn import Drawings
from eddie_board.shared import Answer

NO_DATA = "No data in this range."


class PanelView(Element, component="static/panel.js", esm={"eddie-board": "static"}):
    """A panel of the grid, or (``alone``) the only one of the page. Until show() it says that it waits."""

    def __init__(self, panel: Panel, drawings: Drawings, *, alone: bool = False, top: int = 0) -> None:
        """Make it inside the current slot; ``top`` is the grid's row that comes first."""
        super().__init__()
        self.panel = panel
        self._drawings = drawings
        head = {"id": panel.id, "title": panel.title, "description": panel.description, "type": panel.type}
        self.props["panel"] = head
        self.props["alone"] = alone
        self.props["state"] = "loading"
        if not alone:
            place = {"--x": panel.x + 1, "--y": panel.y - top + 1, "--w": panel.w, "--h": panel.h}
            self.style(";".join(f"{name}:{value}" for name, value in place.items()))

    def show(self, answer: Answer) -> None:
        """Show ``answer``; what is shown already is not sent again."""
        self._set(
            state=answer.state,
            words=words(answer),
            asOf=math.floor(answer.as_of),
            picture=self._drawings.of(self.panel, answer),
        )

    def fail(self, sentence: str) -> None:
        """Say that this board itself failed at the panel: nothing else on the page suffers from it."""
        self._set(state="error", words=sentence)

    def _set(self, **properties: object) -> None:
        """Set all at once, if one differs: whatever is set goes to the browser with all the others."""
        if all(self.props.get(name) == value for name, value in properties.items()):
            return
        with self.props.suspend_updates():
            self.props.update(properties)
        self.update()


def words(answer: Answer) -> str:
    """Answer the sentence inside the panel; empty when the picture says it all. The picture's age is added by it."""
    if answer.state == "empty":
        return NO_DATA
    fault = answer.fault or ("Prometheus gave no answer" if answer.state in {"stale", "error"} else "")
    return fault if not fault or fault.endswith((".", "!", "?")) else f"{fault}."
