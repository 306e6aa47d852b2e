"""Station *page*, its door: who may ask, what may be asked, and what a browser may do with the answer.

What is refused: a name this board is not known by (DNS rebinding), a method that is not GET or HEAD (there is nothing
to write), a websocket that another site's page opens (it would read the fleet through the visitor's browser), and
NiceGUI's long polling, which would need POST and answers any origin.

What the content security policy must allow, because NiceGUI 3 does not work without it:

* ``script-src 'unsafe-eval'``: Vue compiles the components' templates in the browser, and ``nicegui.js`` runs event
  handlers and messages with ``eval`` and ``new Function``. What it evaluates is written by this package; data of the
  fleet is never part of it.
* ``style-src-attr 'unsafe-inline'``: ECharts and Quasar write ``style`` attributes.

Not allowed, though NiceGUI alone would need them: inline scripts and inline style sheets. Its page has a handful; each
gets the answer's nonce here, so that markup that slipped into a page still could not run.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SOCKET = "/_nicegui_ws/"
"""Where NiceGUI's websocket is; anything but a websocket has no business there."""

POLICY_VIOLATION = 1008
"""RFC 6455, 7.4.1: what a websocket is closed with that breaks a rule of the house."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}

LOOPBACK = ("localhost", "127.0.0.1", "::1")

log = structlog.get_logger(__name__)


def policy(nonce: str) -> str:
    """Answer the content security policy of a page whose own inline parts carry ``nonce``."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'nonce-{nonce}' 'unsafe-eval'",
            f"style-src-elem 'self' 'nonce-{nonce}'",
            "style-src-attr 'unsafe-inline'",
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def host_of(authority: str) -> str:
    """Answer the name in ``host:port`` or a URL, lower case, without brackets; empty when there is none."""
    if "@" in authority:
        return ""
    try:
        return (urlsplit(authority if "//" in authority else f"//{authority}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def netloc_of(origin: str) -> str:
    """Answer the ``host:port`` of an Origin header, lower case; empty when there is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


class Guard:
    """ASGI middleware around the whole board; ``hosts`` are the names it may be called by, beside loopback's."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = ()) -> None:
        self.app = app
        self.hosts = frozenset((*LOOPBACK, *(found for one in hosts if (found := host_of(one)))))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or hand on and dress the answer."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None:
            # It would become part of every address on the page, and nobody who is allowed here sets it.
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"x-forwarded-prefix"]
            await self.app(scope, receive, send if scope["type"] == "websocket" else Dressed(send))
            return
        status, words = refusal
        log.warning("refused", status=status, why=words, path=scope["path"][:200], kind=scope["type"])
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        else:
            await PlainTextResponse(f"{words}\n", status)(scope, receive, Dressed(send))

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if host_of(host) not in self.hosts:
            return 400, (
                f"expected a host name this board is known by, got {host[:100]!r}; "
                "add it to EDDIE_BOARD_ALLOWED_HOSTS if it is yours"
            )
        if scope["type"] == "websocket":
            origin = headers.get("origin", "")
            if netloc_of(origin) != host.lower():
                return 403, f"expected a websocket of this board's own page, got one of {origin[:100]!r}"
            return None
        if scope["method"] not in {"GET", "HEAD"}:
            return 405, f"expected GET or HEAD, got {scope['method'][:20]!r}; the board only reads"
        if scope["path"].startswith(SOCKET):
            return 403, "expected a websocket, got a request; a proxy in between must hand on the Upgrade header"
        return None


class Dressed:
    """Sends an answer with the headers above, and a page's own scripts and styles with a nonce."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = bytearray()
        self._nonce = secrets.token_urlsafe(16)

    async def __call__(self, message: Message) -> None:
        """Hand on one message of the answer; a page is kept until it is whole."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message["headers"])
            for name, value in {**HEADERS, "Content-Security-Policy": policy(self._nonce)}.items():
                headers[name] = value
            if headers.get("content-type", "").startswith("text/html"):
                self._start = message
                return
        elif self._start is not None and message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if message.get("more_body", False):
                return
            start, self._start = self._start, None
            await self._page(start)
            return
        await self._send(message)

    async def _page(self, start: Message) -> None:
        """Send the page; in its data every ``<`` is escaped by NiceGUI, so all tags found here are its own."""
        mark = f' nonce="{self._nonce}"'.encode()
        body = bytes(self._body).replace(b"<script", b"<script" + mark).replace(b"<style", b"<style" + mark)
        headers = MutableHeaders(raw=start["headers"])
        headers["Content-Length"] = str(len(body))
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})
