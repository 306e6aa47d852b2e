"""Contents of the board: what it is made of, in the order an answer comes by; pages are made in page.py."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from nicegui import app as pages
from nicegui import ui

import eddie_board
from eddie_board import draw, listing
from eddie_board.alertmanager import Alertmanager
from eddie_board.chain import Chain
from eddie_board.dashboard import Dashboards
from eddie_board.drawn import Drawings
from eddie_board.guard import Guard
from eddie_board.house import House
from eddie_board.page import Page
from eddie_board.prometheus import Prometheus
from eddie_board.settings import Settings
from eddie_board.shared import Board
from eddie_board.view import View
from eddie_board.webpage import QueryLinks

RECONNECT = 10.0
"""Seconds a page is kept for a browser that lost its connection; then it loads the page anew, address and all."""


TABS = 3600.0
"""Seconds NiceGUI keeps the storage of a browser's tab, else 30 days for each: the board has nothing in it."""


def create_app(settings: Settings) -> FastAPI:
    """Build the board. NiceGUI has one application a process, so this is called once in a process."""
    http = httpx.AsyncClient(trust_env=False, timeout=settings.board_timeout_seconds)
    house = _house(settings, http)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        background = [asyncio.create_task(house.beat()), asyncio.create_task(house.links.keep())]
        yield
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await house.board.prometheus.aclose()
        await http.aclose()

    app = FastAPI(lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.house = house
    app.add_middleware(Guard, hosts=_hosts(settings))
    app.mount("/assets", StaticFiles(directory=listing.STATIC))

    @app.get("/api/health")
    async def health() -> dict[str, str]:
        return {"database": "ok", "program": "eddie-board", "version": eddie_board.__version__}

    @app.get(listing.SCRIPT)
    async def script() -> FileResponse:
        return FileResponse(draw.SCRIPT, media_type="text/javascript")

    _pages(house)
    pages.storage.max_tab_storage_age = TABS
    # Long polling needs POST, which the guard refuses.
    pages.config.socket_io_js_transports = ["websocket"]
    ui.run_with(
        app,
        title="eddie-metrics",
        dark=None,
        language="en-US",
        binding_refresh_interval=None,
        reconnect_timeout=RECONNECT,
        message_history_length=50,
        gzip_middleware_factory=None,
        tailwind=False,
        show_welcome_message=False,
    )
    return app


def _house(settings: Settings, http: httpx.AsyncClient) -> House:
    dashboards = Dashboards.of(settings)
    prometheus = Prometheus.of(settings)
    links = QueryLinks(http, settings.prometheus_url, settings.link("prometheus"))
    chain = Chain(
        prometheus,
        Alertmanager(http, settings.alertmanager_url),
        # A file may leave its uid out; it is shown by its name then.
        lambda: [{**each.raw, "uid": each.uid} for each in dashboards.all()],
        settings.board_scrape_seconds,
    )
    drawings = Drawings(draw.drawing, links.of)
    return House(settings, Board(settings, dashboards, prometheus), drawings, chain, links)


def _hosts(settings: Settings) -> list[str]:
    services = ("exporter", "prometheus", "alertmanager", "grafana")
    return [*settings.board_allowed_hosts, settings.board_host, *(settings.link(each) for each in services)]


def _pages(house: House) -> None:
    ui.add_head_html(listing.head(), shared=True)

    @ui.page("/")
    async def home() -> Response | None:
        found = house.board.dashboards.all()
        if len(found) == 1 and not house.board.dashboards.faults:
            return RedirectResponse(f"/d/{quote(found[0].uid)}")
        listing.build(house.board.dashboards)
        return None

    async def show(request: Request, uid: str) -> None:
        client = ui.context.client
        dashboard = house.board.dashboards.get(uid)
        if dashboard is None:
            client.status_code = 404
            listing.build(house.board.dashboards, missing=uid)
            return
        ui.page_title(dashboard.title)
        view = View.read(request.query_params.multi_items(), dashboard)
        page = Page(house, client, request.url.path, dashboard, view)
        await page.settle()

    @ui.page("/d/{uid}")
    async def short(request: Request, uid: str) -> None:
        await show(request, uid)

    @ui.page("/d/{uid}/{slug}")
    async def long(request: Request, uid: str, slug: str) -> None:  # noqa: ARG001  (Grafana's links carry it)
        await show(request, uid)
