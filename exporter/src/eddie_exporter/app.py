"""Contents of the exporter: what it is made of, in the order the data comes by; no logic lives here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from fastapi import FastAPI

from eddie_exporter import answers, docs, health, inbox, intake, neighbours, pages, scrape, summary
from eddie_exporter.access import Access
from eddie_exporter.body import BodyReader
from eddie_exporter.containers import State, Watcher
from eddie_exporter.engine import DockerEngine, Engine
from eddie_exporter.errors import StoreError
from eddie_exporter.head import HeadAsGet
from eddie_exporter.journal import Journal
from eddie_exporter.metrics import MetricsCollector
from eddie_exporter.settings import Settings
from eddie_exporter.tidying import keep_tidy
from eddie_exporter.told import Audience
from eddie_exporter.writer import Writer


def create_app(
    settings: Settings,
    *,
    connect: Callable[[], Engine] | None = None,
    on_failure: Callable[[StoreError], None] = lambda _: None,
) -> FastAPI:
    """Build the exporter; ``connect`` makes connections to the Docker Engine (default: that of DOCKER_HOST).

    ``on_failure`` is called when the store fails later, from a thread: the process should end then.
    Raises TokenFileError when a configured token file is missing, empty or unreadable, StoreError when the store
    cannot be used.
    """
    access = Access(settings)
    collector = MetricsCollector(settings)
    writer = Writer(collector, Journal.of(settings), settings, on_failure)
    engine = connect or (lambda: DockerEngine(settings.docker_label))
    watcher = Watcher(collector, engine, relist_seconds=settings.docker_relist_seconds) if settings.docker else None
    http = neighbours.client()
    audience = Audience(http, settings.alertmanager_url)
    bodies = BodyReader(seconds=settings.receipt_seconds)

    taking = intake.Intake(access, bodies, writer.submit, collector.reject)

    def docker() -> State:
        return watcher.state if watcher else "off"

    def obstacle() -> str | None:
        return access.obstacle() or writer.ready()

    summariser = summary.Summariser(collector, audience, docker)
    front = pages.Front(settings, collector, audience, http, docker=docker, obstacle=obstacle)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        writer.start()
        background = [asyncio.create_task(keep_tidy(collector, summariser))]
        if watcher:
            background.append(asyncio.create_task(watcher.run()))
        yield
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await http.aclose()
        await asyncio.to_thread(writer.stop)

    app = FastAPI(lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.collector = collector
    app.state.writer = writer
    app.add_middleware(HeadAsGet)
    app.add_middleware(intake.EventsFirst, intake=taking)
    answers.install(app)
    app.include_router(inbox.routes(collector, access, bodies))
    app.include_router(scrape.routes(collector, access, openmetrics=settings.openmetrics))
    app.include_router(summary.routes(summariser, access))
    app.include_router(health.routes(settings.environment, docker, obstacle))
    app.include_router(pages.routes(front, settings, access))
    app.include_router(docs.pages(app, access))
    return app
