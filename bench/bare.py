"""The peer of single POSTs: one FastAPI endpoint with its body checked by pydantic, and nothing behind it.

``python -m bench.bare PORT``, served by the same uvicorn as the exporter.
"""

from __future__ import annotations

import logging
import sys
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, Field

Text = Annotated[str, Field(min_length=1, max_length=128)]


class Timeout(BaseModel):
    """The body of a single timeout."""

    agent_id: Text
    reason: Text
    stage: Text | None = None
    task_id: Text | None = None


class Envelope(BaseModel):
    """The body of a batch, its events not looked into."""

    producer: str
    epoch: int
    seq: int
    events: list[dict[str, Any]]


class Accepted(BaseModel):
    """The answer."""

    accepted: int
    duplicates: int


def app() -> FastAPI:
    """Build it."""
    bare = FastAPI()

    @bare.post("/events/timeout", status_code=202)
    async def timeout(_event: Timeout) -> Accepted:
        return Accepted(accepted=1, duplicates=0)

    @bare.post("/events", status_code=202)
    async def batch(envelope: Envelope) -> Accepted:
        return Accepted(accepted=len(envelope.events), duplicates=0)

    return bare


if __name__ == "__main__":
    uvicorn.run(app(), port=int(sys.argv[1]), log_level=logging.WARNING, access_log=False, server_header=False)
