"""Station *page*: what there is to look at, for whoever asked for nothing, or for what is not there."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import quote

from nicegui import html

from eddie_board import draw
from eddie_board.dashboard import Dashboards

STATIC = Path(__file__).parent / "static"
SCRIPT = "/script/draw.js"
SHEETS = ("chain.css", "board.css")


def head() -> str:
    """Answer what every page has in its head: the styles, and the script that charts call."""
    links = [f'<link rel="stylesheet" href="/assets/{name}?{_stamp(STATIC / name)}">' for name in SHEETS]
    script = f'<script src="{SCRIPT}?{_stamp(draw.SCRIPT)}"></script>'
    # Fetched beside everything else, and not awaited: the page's frame stands before its charts can be drawn.
    early = '<script type="module" async>import("nicegui-echart"); import("eddie-board/panel.js");</script>'
    return "\n".join([*links, script, early])


def _stamp(file: Path) -> str:
    """Answer what changes with the file, so that a browser may keep it and still never has an old one."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]


def build(dashboards: Dashboards, missing: str | None = None) -> None:
    """Make the list inside the current slot; ``missing`` is what was asked for in vain."""
    found = dashboards.all()
    with html.div().classes("listing"):
        html.h1("Dashboards" if missing is None else "No such dashboard")
        if missing is not None:
            html.p(f"Nothing here has the uid “{missing[:100]}”. There is:" if found else "")
        with html.ul():
            for each in found:
                with html.li():
                    html.a(each.title).props["href"] = f"/d/{quote(each.uid)}"
                    html.p(each.description)
        if not found:
            html.p("No dashboard can be read. EDDIE_DASHBOARDS_PATH names the folder of their *.json files.")
        for _, fault in sorted(dashboards.faults.items()):
            html.p(fault).classes("fault")
