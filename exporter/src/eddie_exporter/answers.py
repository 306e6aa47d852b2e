"""Station *intake* and all other HTTP routes: every refusal is one JSON object, and no input whatever is a 5xx.

The object's ``error`` is a short word for programs; ``expected`` and ``got`` are for the person who mends the sender.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from eddie_exporter.errors import ContractError, EddieError, TooManyEventsError

RETRY_AFTER_SECONDS = 5
"""What a 503 asks a sender to wait: long enough for a person's `mv`, short enough that no queue runs over."""

log = structlog.get_logger(__name__)


class Problem(BaseModel):
    """What every refusal says in its body."""

    error: str = Field(description="a short word for programs", examples=["contract"])
    index: int | None = Field(default=None, description="place of the event in the batch, from 0")
    field: str | None = Field(default=None, description="the field to mend")
    expected: str | int = Field(description="what would have been taken; for a `gap` the seq that comes next")
    got: str | None = Field(default=None, description="what came instead, shortened")


@dataclass
class RefusalError(EddieError):
    """A request is refused: the sender mends what ``expected`` says and sends again; nothing of it was applied.

    ``extra`` goes into the answer's body as it is and wins there: ``index`` and ``field`` of an event, or the
    ``expected`` seq of a gap, an integer.
    """

    status: int
    error: str
    expected: str
    got: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    extra: dict[str, str | int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, str | int | None]:
        """Answer what the refusal says in its body."""
        return {"error": self.error, "expected": self.expected, "got": self.got, **self.extra}

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.error}: expected {self.expected}" + ("" if self.got is None else f", got {self.got}")


SAYS = {
    400: "The request could not be read.",
    401: "No valid token came with the request.",
    403: "The token is good, but for another door.",
    404: "Nothing is here.",
    408: "The body came too slowly.",
    409: "The envelope is not the one that comes next: a gap, a conflict, or an epoch that is no longer remembered.",
    413: "More bytes or more events than one request may carry.",
    415: "The content encoding is neither gzip nor identity.",
    422: "The body or a parameter breaks the contract; nothing of it was applied.",
    503: "Not now: wait as long as `Retry-After` says and send the same again.",
    507: "The disk is full: wait as long as `Retry-After` says and send the same again.",
}
"""What each status means here."""


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Answer the OpenAPI entries of these refusals, for a route's ``responses``."""
    return {status: {"model": Problem, "description": SAYS[status]} for status in statuses}


def problem(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Make the answer of a refusal; a 503 and a 507 always say when to come back."""
    again = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status in {503, 507} else {}
    content = Problem.model_validate(body).model_dump()
    return JSONResponse(content, status, headers={**again, **(headers or {})})


def word(error: EddieError) -> str:
    """Answer the short word for an error: the body's ``error`` and the label ``reason`` of the counter."""
    if isinstance(error, RefusalError):
        return error.error
    return "too-many-events" if isinstance(error, TooManyEventsError) else "contract"


def refusal(error: EddieError) -> JSONResponse:
    """Make the answer to a request that was refused with ``error``."""
    if isinstance(error, RefusalError):
        return problem(error.status, error.as_dict(), error.headers)
    if isinstance(error, ContractError):
        return problem(422, {"error": word(error), **error.as_dict()})
    return problem(413, {"error": word(error), "expected": str(error).removeprefix("expected ")})


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, EddieError)  # noqa: S101  (installed for these; the signature is Starlette's)
    return refusal(error)


async def _parameter(_: Request, error: Exception) -> JSONResponse:
    """Name the parameter; FastAPI's own handler echoes the input and fails with 500 on a bare NaN."""
    assert isinstance(error, RequestValidationError)  # noqa: S101
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return problem(422, {"error": "parameter", "field": place, "expected": str(first["msg"])})


async def _http(request: Request, error: Exception) -> JSONResponse:
    """Say 404, 405 and what else the framework refuses in the same form."""
    assert isinstance(error, HTTPException)  # noqa: S101
    expected = {
        404: "a path listed on `/` or in `/openapi.json` (no slash at the end; lower case)",
        405: f"another method than {request.method}; see the header Allow",
    }.get(error.status_code, str(error.detail))
    names = {404: "not-found", 405: "method"}
    return problem(
        error.status_code, {"error": names.get(error.status_code, "http"), "expected": expected}, error.headers
    )


async def _fault(request: Request, error: Exception) -> JSONResponse:
    """Answer what is our own mistake; the log has the traceback, the sender gets none of it."""
    log.error("unexpected error", method=request.method, path=request.url.path, exc_info=error)
    return problem(500, {"error": "fault", "expected": "no error here: this is a mistake in the exporter; see its log"})


def install(app: FastAPI) -> None:
    """Give ``app`` these answers instead of the framework's."""
    for refused in (RefusalError, ContractError, TooManyEventsError):
        app.add_exception_handler(refused, _refused)
    app.add_exception_handler(RequestValidationError, _parameter)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _fault)
