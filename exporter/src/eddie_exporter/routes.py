"""Beside the data's way: what the OpenAPI document says of the event routes, which stand in front of FastAPI.

The schemas are the decoder's own; nothing of an event's shape is said twice.
"""

from __future__ import annotations

from typing import Any

import msgspec

from eddie_exporter import decode
from eddie_exporter.answers import SAYS
from eddie_exporter.envelope import MAX_NUMBER, MAX_REASONS, Envelope
from eddie_exporter.wording import for_json_schema
from eddie_metrics.events import KINDS

_REFUSALS = (400, 401, 403, 408, 413, 415, 422, 503, 507)
_BODY = "At most 10 000 events and 8 MiB after decompression; `Content-Encoding: gzip` is understood, any other is 415."
_MANY = """Take a JSON array of events, NDJSON by content type, or the client's envelope; every event has its `kind`.

An envelope has an identity (`producer`, `epoch`, `seq`): sent again, the same bytes count once.
"""
_SENT = {
    "name": "Eddie-Sent",
    "in": "header",
    "required": False,
    "description": "the sender's clock now, seconds since the epoch",
    "schema": {"type": "number", "minimum": 0, "maximum": 1e11},
}
_OLDEST = {
    "name": "Eddie-Oldest",
    "in": "header",
    "required": False,
    "description": "the lowest `seq` the sender still holds; equal to the envelope's own, what is missing before it "
    "is counted as lost instead of refused as a gap",
    "schema": {"type": "integer", "minimum": 1, "maximum": MAX_NUMBER},
}
_ACCEPTED = {
    "type": "object",
    "title": "Accepted",
    "description": "The answer 202.",
    "required": ["accepted", "duplicates"],
    "properties": {
        "accepted": {"type": "integer", "description": "events that were counted now"},
        "duplicates": {"type": "integer", "description": "events that had been counted before"},
    },
}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _operation(name: str, text: str, content: dict[str, Any], *, many: bool) -> dict[str, Any]:
    refused = sorted((*_REFUSALS, 409)) if many else _REFUSALS
    answers = {202: ("On disk, and counted.", "Accepted"), **{one: (SAYS[one], "Problem") for one in refused}}
    return {
        "tags": ["events"],
        "summary": name.replace("_", " ").capitalize(),
        "description": text,
        "operationId": f"{name}_events_post",
        "parameters": [_SENT, _OLDEST] if many else [_SENT],
        "requestBody": {"required": True, "content": content, "description": _BODY},
        "responses": {
            str(status): {"description": said, "content": {"application/json": {"schema": _ref(model)}}}
            for status, (said, model) in answers.items()
        },
    }


def _envelope(kinds: list[dict[str, Any]]) -> dict[str, Any]:
    """Answer the envelope's schema; ``dropped`` is read in a step of its own, which its type does not show."""
    _, components = msgspec.json.schema_components([Envelope], ref_template="#/components/schemas/{name}")
    schema: dict[str, Any] = for_json_schema(components["Envelope"])
    reason = schema["properties"]["producer"]
    schema["properties"]["events"] = {"type": "array", "items": {"oneOf": kinds}}
    schema["properties"]["dropped"] = {
        "type": "object",
        "description": "events the sender had to drop, by reason",
        "maxProperties": MAX_REASONS,
        "propertyNames": {key: value for key, value in reason.items() if key != "type"},
        "additionalProperties": {"type": "integer", "minimum": 1, "maximum": MAX_NUMBER},
    }
    return schema


def document() -> tuple[dict[str, Any], dict[str, Any]]:
    """Answer (paths, component schemas) of the event routes; the component ``Problem`` is FastAPI's to add."""
    schemas, components = decode.openapi_schema()
    # No maxItems: more events are too much (413), not against the contract (422).
    kinds = list(schemas.values())
    bodies = {"oneOf": [{"type": "array", "items": {"oneOf": kinds}}, _ref("Envelope")]}
    content = {"application/json": {"schema": bodies}, "application/x-ndjson": {"schema": {"type": "string"}}}
    paths: dict[str, Any] = {"/events": {"post": _operation("take_many", _MANY, content, many=True)}}
    for kind, cls in KINDS.items():
        named = components[schemas[kind]["$ref"].rpartition("/")[2]]
        # The path says the kind, so the body need not.
        body = {**named, "required": [name for name in named.get("required", []) if name != "kind"]}
        content = {"application/json": {"schema": body}}
        name = f"take_{kind.replace('-', '_')}"
        paths[f"/events/{kind}"] = {"post": _operation(name, cls.__doc__ or "", content, many=False)}
    return paths, {**components, "Envelope": _envelope(kinds), "Accepted": _ACCEPTED}
