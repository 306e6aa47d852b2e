"""Beside the data's way: is the exporter alive, and can it take events? Docker away is said, and is no illness."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from eddie_exporter.answers import documented, problem
from eddie_exporter.containers import State
from eddie_metrics import __version__


class Health(BaseModel):
    """How the exporter is."""

    status: Literal["ok", "degraded"] = Field(description="degraded: events cannot be taken now; `ready` says why")
    ready: bool = Field(description="events can be taken")
    why_not: str | None = Field(default=None, description="why events cannot be taken")
    docker: State = Field(description="the watcher's state; down costs the containers' limits only")
    environment: str
    version: str


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


def routes(environment: str, docker: Callable[[], State], obstacle: Callable[[], str | None]) -> APIRouter:
    """Answer the health routes, which ask no token; ``obstacle`` says why events cannot be taken, if they cannot."""
    router = APIRouter(tags=["health"])

    def look() -> Health:
        why_not = obstacle()
        return Health(
            status="degraded" if why_not else "ok",
            ready=why_not is None,
            why_not=why_not,
            docker=docker(),
            environment=environment,
            version=__version__,
        )

    @router.get("/health")
    async def health() -> Health:
        """Say how the exporter is; always 200, for people and for programs that read the fields."""
        return look()

    @router.get("/health/live")
    async def live() -> Alive:
        """Say that the process answers; whatever restarts it looks here."""
        return Alive()

    @router.get("/health/ready", response_model=Health, responses=documented(503))
    async def ready() -> Health | JSONResponse:
        """Say whether events can be taken: 503 when they cannot, with the time to come back."""
        found = look()
        if found.ready:
            return found
        return problem(503, {"error": "unavailable", "expected": "to take events", "got": found.why_not})

    return router
