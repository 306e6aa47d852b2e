"""Station *alerted*: ``POST /alerts``, where Alertmanager leaves a copy of every notification it sends.

Tolerant, because a notification that is refused is a notification lost: unknown fields are passed over and long
texts are cut. Bounded, because it is kept in memory. A copy of everything, never the only receiver.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from eddie_exporter.access import Access
from eddie_exporter.answers import documented
from eddie_exporter.body import BodyReader, headers_of
from eddie_exporter.decode import MAX_EVENTS
from eddie_exporter.errors import ContractError
from eddie_exporter.metrics import MetricsCollector
from eddie_exporter.texts import LABEL_CHARACTERS, clean, label

_TEXT = 500
"""Characters kept of any other text."""
_LABELS = 32
"""Labels and annotations kept of an alert; ours have fewer than ten."""


class Alert(msgspec.Struct):
    """One alert of a notification, as Alertmanager's webhook writes it."""

    status: Literal["firing", "resolved"]
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    startsAt: str = ""  # noqa: N815  (Alertmanager's names)
    endsAt: str = ""  # noqa: N815


class Notification(msgspec.Struct):
    """The body of Alertmanager's webhook, version 4; what is not used here is not named here."""

    alerts: list[Alert]
    version: str = "4"
    receiver: str = ""


class Received(BaseModel):
    """The answer 202."""

    accepted: int = Field(description="alerts that were counted")


_DECODER = msgspec.json.Decoder(Notification)


def _texts(given: dict[str, str]) -> dict[str, str]:
    return {clean(key, LABEL_CHARACTERS): clean(given[key], _TEXT) for key in sorted(given)[:_LABELS]}


def parse(body: bytes) -> Notification:
    """Decode a notification. Raises ContractError."""
    try:
        found = _DECODER.decode(body)
    except RecursionError:
        raise ContractError("JSON nested less deeply") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ContractError("Alertmanager's webhook body, version 4", clean(str(error), 200)) from None
    if len(found.alerts) > MAX_EVENTS:
        raise ContractError(f"at most {MAX_EVENTS} alerts", str(len(found.alerts)), field="alerts")
    return found


def record(alert: Alert, notification: Notification) -> dict[str, Any]:
    """Answer what the history keeps of an alert."""
    return {
        "alertname": label(alert.labels.get("alertname", "")) or "unknown",
        "status": alert.status,
        "receiver": clean(notification.receiver, LABEL_CHARACTERS),
        "starts_at": clean(alert.startsAt, 40),
        "ends_at": clean(alert.endsAt, 40),
        "labels": _texts(alert.labels),
        "annotations": _texts(alert.annotations),
    }


def receive(collector: MetricsCollector, body: bytes) -> int:
    """Count each alert of a notification and keep it in the history; answer how many. Raises ContractError."""
    notification = parse(body)
    for alert in notification.alerts:
        kept = record(alert, notification)
        collector.notification(kept["alertname"], alert.status, kept)
    return len(notification.alerts)


def routes(collector: MetricsCollector, access: Access, bodies: BodyReader) -> APIRouter:
    """Answer the inbox's route."""
    router = APIRouter(tags=["alerts"])
    schemas, _ = schema("#/components/schemas/{name}")

    @router.post(
        "/alerts",
        status_code=202,
        response_model=Received,
        responses=documented(400, 401, 403, 408, 413, 415, 422, 503),
        dependencies=[Depends(access.alerts)],
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": schemas}}}},
    )
    async def take_alerts(request: Request) -> JSONResponse:
        """Take a notification of Alertmanager (webhook, version 4); each alert in it is counted."""
        with bodies.holding() as held:
            body = await bodies.read(headers_of(request.scope), request.receive, held)
            accepted = await run_in_threadpool(receive, collector, body)
        return JSONResponse({"accepted": accepted}, 202)

    return router


def schema(ref_template: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Answer (schema of the body, components) for the OpenAPI document."""
    (body,), components = msgspec.json.schema_components([Notification], ref_template=ref_template)
    return body, components
