"""Beside the data's way: pages for people. ``/`` links everything and says what answers; ``/runbook`` is the runbook.

No script, no asset from anywhere, every text escaped, and a policy that lets the browser load nothing else.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Callable
from html import escape
from importlib.resources import files
from pathlib import Path

import httpx
from fastapi import APIRouter, Depends, Response
from markdown_it import MarkdownIt
from starlette.concurrency import run_in_threadpool

from eddie_exporter.access import Access
from eddie_exporter.answers import RefusalError, documented
from eddie_exporter.containers import State
from eddie_exporter.metrics import MetricsCollector
from eddie_exporter.neighbours import look
from eddie_exporter.settings import Settings
from eddie_exporter.summary import Age, age
from eddie_exporter.told import Audience

INSTALLED_RUNBOOK = Path("/usr/share/eddie-metrics/runbook.md")
"""Where a package of a distribution would put it; beside a checkout it is found without."""

_STYLE = files("eddie_exporter").joinpath("pages.css").read_text("utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

Row = tuple[bool | None, str, str, str]
"""One line of the page: good (None: neither), what it is, where it leads (or nowhere), what it says."""


def html(title: str, body: str) -> Response:
    """Make a page; ``body`` is HTML, ``title`` is not."""
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body><main>\n{body}\n</main></body></html>\n"
    )
    return Response(page, headers={**HEADERS, "Content-Type": "text/html; charset=utf-8"})


def _row(row: Row) -> str:
    good, name, link, says = row
    mark, word = {True: ("good", "good"), False: ("bad", "bad"), None: ("unknown", "not known")}[good]
    shown = f'<a href="{escape(link)}">{escape(name)}</a>' if link else escape(name)
    state = f'<td><span class="mark {mark}" role="img" aria-label="{word}"></span></td>'
    return f"<tr>{state}<th scope=row>{shown}</th><td>{escape(says)}</td></tr>"


def _table(title: str, rows: list[Row]) -> str:
    return f"<h2>{escape(title)}</h2>\n<table>\n" + "\n".join(map(_row, rows)) + "\n</table>"


def _aged(what: str, found: Age) -> Row:
    says = "never since the start" if found.seconds is None else f"{found.seconds:.0f} s ago"
    return found.ok, what, "", says


def slug(heading: str) -> str:
    """Make a heading's anchor: lower case, whatever is no letter or digit becomes one ``-``."""
    return re.sub(r"[^\w]+", "-", heading.lower()).strip("-")


def render_markdown(text: str) -> str:
    """Render Markdown to HTML with an anchor on each heading; HTML inside the text is shown, not obeyed."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(text)
    seen: Counter[str] = Counter()
    for opening, inside in itertools.pairwise(tokens):
        if opening.type == "heading_open":
            anchor = slug(inside.content)
            opening.attrSet("id", f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
            seen[anchor] += 1
    return str(markdown.renderer.render(tokens, markdown.options, {}))


def runbook_file(settings: Settings) -> Path:
    """Answer where the runbook is: the setting, else ``docs/`` of the checkout, else where a package has it."""
    above = Path(__file__).resolve().parents[1:4]
    beside = (folder / "docs" / "runbook.md" for folder in above)
    return settings.runbook or next((path for path in beside if path.is_file()), INSTALLED_RUNBOOK)


def _runbook(path: Path) -> Response:
    try:
        return html("Runbook", f'<p><a href="/">eddie-metrics</a></p>\n{render_markdown(path.read_text("utf-8"))}')
    except (OSError, ValueError):
        raise RefusalError(
            404, "not-found", "EDDIE_RUNBOOK to name a readable Markdown file (docs/runbook.md)"
        ) from None


class Front:
    """The page ``/``."""

    def __init__(
        self,
        settings: Settings,
        collector: MetricsCollector,
        audience: Audience,
        http: httpx.AsyncClient,
        *,
        docker: Callable[[], State],
        obstacle: Callable[[], str | None],
    ) -> None:
        """Take who is asked; ``obstacle`` says why events cannot be taken, None when they can."""
        self._settings = settings
        self._collector = collector
        self._audience = audience
        self._http = http
        self._docker = docker
        self._obstacle = obstacle

    async def page(self) -> Response:
        """Ask everybody at once, and show it."""
        neighbours, told = await asyncio.gather(look(self._http, self._settings), self._audience.told())
        snapshot = await run_in_threadpool(self._collector.snapshot)
        docker = self._docker()
        chain: list[Row] = [
            _aged("Last scrape by Prometheus", age(snapshot.last_scrape, snapshot.started_at, snapshot.now)),
            _aged("Last Watchdog", age(snapshot.last_watchdog, snapshot.started_at, snapshot.now)),
            (told.somebody, "Alerts", "/runbook", told.says),
            ({"up": True, "down": False}.get(docker), "Docker", "", docker),
        ]
        body = "\n".join(
            [
                f"<h1>eddie-metrics <small>{escape(self._settings.environment)}</small></h1>",
                _table("The stack", [(one.answers, one.name, one.link, one.says) for one in neighbours]),
                _table("The chain", chain),
                _table("This exporter", self._own()),
            ]
        )
        return html("eddie-metrics", body)

    def _own(self) -> list[Row]:
        obstacle = self._obstacle()
        runbook = runbook_file(self._settings).is_file()
        return [
            (obstacle is None, "Health", "/health", obstacle or "events are taken"),
            (True, "Summary", "/metrics/summary", "how the fleet is, as JSON"),
            (True, "Metrics", "/metrics/prometheus", "what Prometheus scrapes"),
            (
                runbook,
                "Runbook",
                "/runbook",
                "each alert: what to do first" if runbook else "not found: set EDDIE_RUNBOOK",
            ),
            (True, "API", "/docs", "every route and every status it gives"),
        ]


def routes(front: Front, settings: Settings, access: Access) -> APIRouter:
    """Answer the pages' routes."""
    router = APIRouter(tags=["pages"], dependencies=[Depends(access.read)])
    page: dict[int | str, dict[str, object]] = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}

    @router.get("/", response_class=Response, responses={**page, **documented(401, 403, 503)})
    async def index() -> Response:
        """Show links to everything, with what answers and what does not."""
        return await front.page()

    @router.get("/runbook", response_class=Response, responses={**page, **documented(401, 403, 404, 503)})
    async def runbook() -> Response:
        """Show the runbook: what each alert means, what to do first, how to silence it."""
        return await run_in_threadpool(_runbook, runbook_file(settings))

    return router
