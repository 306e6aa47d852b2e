"""Station *intake*: ``POST /events/<kind>`` and ``POST /events``; a request is applied whole or not at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from eddie_exporter import decode
from eddie_exporter.access import Access
from eddie_exporter.answers import documented, word
from eddie_exporter.body import SMALL, BodyReader
from eddie_exporter.errors import ContractError, EddieError
from eddie_exporter.metrics import MetricsCollector
from eddie_metrics.events import KINDS, Event

NDJSON = "application/x-ndjson"
"""The one content type that is not read as JSON (curl's default, a form, is read as JSON on purpose)."""

_BODY = "At most 10 000 events and 8 MiB after decompression; `Content-Encoding: gzip` is understood, any other is 415."

REFUSALS = (400, 401, 403, 408, 413, 415, 422, 503)


class Accepted(BaseModel):
    """The answer 202."""

    accepted: int = Field(description="events that were counted now")
    duplicates: int = Field(description="events that had been counted before")


def _sent(request: Request) -> float | None:
    """Answer the sender's clock, seconds since the epoch, from the header Eddie-Sent. Raises ContractError."""
    text = request.headers.get("eddie-sent")
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= 1e11:
        raise ContractError("seconds since the epoch, 0 to 1e11", field="Eddie-Sent")
    return seconds


class Intake:
    """Takes the events of one request: token, bytes, contract, count; the first that fails refuses all of it."""

    def __init__(self, collector: MetricsCollector, access: Access, bodies: BodyReader) -> None:
        self._collector = collector
        self._access = access
        self._bodies = bodies

    async def take(self, request: Request, read: Callable[[bytes], Sequence[Event]]) -> JSONResponse:
        """Apply what ``read`` makes of the request's body, and answer 202; whatever is refused is counted."""
        try:
            self._access.enter("ingest", request)
            sent = _sent(request)
            async with self._bodies.body(request) as body:
                if len(body) <= SMALL:
                    accepted = self._apply(read, body, sent)
                else:
                    accepted = await run_in_threadpool(self._apply, read, body, sent)
        except EddieError as error:
            self._collector.reject(word(error))
            raise
        return JSONResponse({"accepted": accepted, "duplicates": 0}, 202)

    def _apply(self, read: Callable[[bytes], Sequence[Event]], body: bytes, sent: float | None) -> int:
        events = read(body)
        self._collector.apply(events, sent=sent)
        return len(events)


def _request_body(content: dict[str, Any]) -> dict[str, Any]:
    """Document a body that FastAPI does not parse: the schema is the decoder's own."""
    return {"requestBody": {"required": True, "content": content, "description": _BODY}}


def routes(intake: Intake) -> APIRouter:
    """Answer the event routes: one per kind, and the one for many."""
    router = APIRouter(tags=["events"])
    schemas, components = decode.openapi_schema("#/components/schemas/{name}")
    options: dict[str, Any] = {
        "status_code": 202,
        "response_model": Accepted,
        "responses": documented(*REFUSALS),
    }

    def many(request_body: bytes, *, lines: bool) -> Sequence[Event]:
        return decode.decode_ndjson(request_body) if lines else decode.decode_array(request_body)

    async def take_many(request: Request) -> JSONResponse:
        """Take a JSON array of events, or NDJSON by content type; every event carries its `kind`."""
        lines = request.headers.get("content-type", "").partition(";")[0].strip().lower() == NDJSON
        return await intake.take(request, lambda body: many(body, lines=lines))

    # No maxItems: more events are too much (413), not against the contract (422).
    array = {"type": "array", "items": {"oneOf": list(schemas.values())}}
    content = {"application/json": {"schema": array}, NDJSON: {"schema": {"type": "string"}}}
    router.add_api_route("/events", take_many, methods=["POST"], openapi_extra=_request_body(content), **options)

    def take_kind(kind: str) -> Callable[[Request], Any]:
        async def take_one(request: Request) -> JSONResponse:
            return await intake.take(request, lambda body: [decode.decode_one(kind, body)])

        take_one.__doc__ = KINDS[kind].__doc__
        return take_one

    for kind in KINDS:
        named = components[schemas[kind]["$ref"].rpartition("/")[2]]
        # The path says the kind, so the body need not.
        body = {**named, "required": [name for name in named.get("required", []) if name != "kind"]}
        extra = _request_body({"application/json": {"schema": body}})
        name = f"take_{kind.replace('-', '_')}"
        router.add_api_route(
            f"/events/{kind}", take_kind(kind), methods=["POST"], name=name, openapi_extra=extra, **options
        )
    return router
