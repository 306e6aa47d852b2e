"""Beside the data's way: ``/openapi.json`` and ``/docs``, with every asset from this process and none from outside."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse

from eddie_exporter import inbox, routes
from eddie_exporter.access import Access
from eddie_metrics import __version__

_SCRIPT = """SwaggerUIBundle({url: "/openapi.json", dom_id: "#docs", deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis], layout: "BaseLayout", validatorUrl: null});
"""
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>eddie-metrics API</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/docs/swagger-ui.css"></head>
<body><div id="docs"></div><script src="/docs/swagger-ui.js"></script><script src="/docs/start.js"></script>
</body></html>
"""
# Swagger UI writes style attributes, and shows its icons from data addresses.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; connect-src 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


def document(app: FastAPI) -> dict[str, Any]:
    """Answer the OpenAPI document; the event routes, and the schemas of notifications, are their decoders' own."""
    if app.openapi_schema is None:
        found = get_openapi(
            title="eddie-metrics",
            version=__version__,
            description="Agents say what happened; it is counted once, and exposed to Prometheus.",
            routes=app.routes,
        )
        paths, schemas = routes.document()
        found["paths"] = {**paths, **found["paths"]}
        for components in (schemas, inbox.schema("#/components/schemas/{name}")[1]):
            found["components"]["schemas"].update(components)
        app.openapi_schema = found
    return app.openapi_schema


def pages(app: FastAPI, access: Access) -> APIRouter:
    """Answer the document's route, the page's, and those of the page's assets (which are public knowledge)."""
    router = APIRouter(include_in_schema=False)
    assets = files("fastapi_offline") / "static"
    guarded = [Depends(access.read)]

    def asset(content: str, media_type: str) -> Response:
        return Response(content, media_type=media_type, headers={"X-Content-Type-Options": "nosniff"})

    @router.get("/openapi.json", dependencies=guarded)
    def openapi() -> JSONResponse:
        return JSONResponse(document(app))

    @router.get("/docs", dependencies=guarded)
    def page() -> Response:
        return Response(_PAGE, media_type="text/html", headers={"Content-Security-Policy": _POLICY})

    @router.get("/docs/start.js")
    def start() -> Response:
        return asset(_SCRIPT, "text/javascript")

    @router.get("/docs/swagger-ui.js")
    def script() -> Response:
        return asset((assets / "swagger-ui-bundle.js").read_text("utf-8"), "text/javascript")

    @router.get("/docs/swagger-ui.css")
    def style() -> Response:
        return asset((assets / "swagger-ui.css").read_text("utf-8"), "text/css")

    return router
