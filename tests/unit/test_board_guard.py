"""The board's door: its own names, reading only, its own pages' websocket, and headers on whatever it answers."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from starlette.responses import HTMLResponse, JSONResponse, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from eddie_board.guard import SOCKET, Guard, host_of, policy

PAGE = "<html><style>a{}</style><script>1</script><script type=module>2</script><p>&lt;script>3</p></html>"


async def inner(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as the application behind the door: a page, JSON, parts, or an accepted websocket."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        return
    if scope["path"] == "/json":
        seen = [name.decode() for name, _ in scope["headers"]]
        await JSONResponse(seen)(scope, receive, send)
    elif scope["path"] == "/parts":
        await StreamingResponse(iter([PAGE[:20], PAGE[20:]]), media_type="text/html")(scope, receive, send)
    else:
        await HTMLResponse(PAGE)(scope, receive, send)


async def ask(path: str = "/", method: str = "GET", host: str = "localhost:8504", **headers: str) -> httpx.Response:
    """Ask through the guard, which knows the name `board.lan` beside loopback's."""
    transport = httpx.ASGITransport(app=Guard(inner, ["http://board.lan:3000"]))
    async with httpx.AsyncClient(transport=transport, base_url="http://unused") as http:
        return await http.request(method, path, headers={"Host": host, **headers})


async def knock(host: str, origin: str | None) -> str:
    """Open a websocket; return the type of the answer."""
    sent: list[Message] = []
    headers = [(b"host", host.encode()), *([(b"origin", origin.encode())] if origin is not None else [])]
    scope: Scope = {"type": "websocket", "path": f"{SOCKET}socket.io/", "headers": headers}

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await Guard(inner, ["http://board.lan:3000"])(scope, receive, send)
    return str(sent[0]["type"])


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:8504", "[::1]:8504", "BOARD.lan:3000", "board.lan.", "LOCALHOST:1"]
)
async def test_its_own_names_are_let_in(host: str) -> None:
    """Loopback's names and the links' own are answered, with any port and in any case."""
    assert (await ask(host=host)).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.example", "", "[::1", "a b", "@localhost:x"]
)
async def test_other_names_are_refused(host: str) -> None:
    """Negative twin: a name that was made to point here (DNS rebinding) gets 400 and a sentence, and no page."""
    answer = await ask(host=host)
    assert answer.status_code == 400
    assert "EDDIE_BOARD_ALLOWED_HOSTS" in answer.text
    assert "<p>" not in answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "SHUTDOWN"])
async def test_nothing_can_be_written(method: str) -> None:
    """Whatever is not GET or HEAD is refused before any route sees it."""
    assert (await ask(method=method)).status_code == 405


async def test_long_polling_is_refused() -> None:
    """NiceGUI's polling answers any origin, so there is none; other paths of its are served."""
    assert (await ask(f"{SOCKET}socket.io/?EIO=4&transport=polling")).status_code == 403
    assert (await ask("/_nicegui/3.18.0/static/nicegui.js")).status_code == 200


@pytest.mark.parametrize(
    ("host", "origin"),
    [("localhost:8504", "http://localhost:8504"), ("board.lan", "https://board.lan"), ("[::1]:1", "http://[::1]:1")],
)
async def test_its_own_pages_websocket_is_accepted(host: str, origin: str) -> None:
    """A page of the same host and port may listen, also behind a proxy that speaks TLS for the board."""
    assert await knock(host, origin) == "websocket.accept"


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8504", "http://evil.example"),
        ("localhost:8504", "http://localhost:8505"),
        ("localhost:8504", "http://localhost:8504.evil.example"),
        ("localhost:8504", "http://localhost:8504@evil.example"),
        ("localhost:8504", "null"),
        ("localhost:8504", "http://["),
        ("localhost:8504", ""),
        ("localhost:8504", None),
        ("evil.example", "http://evil.example"),
    ],
)
async def test_another_sites_websocket_is_closed(host: str, origin: str | None) -> None:
    """Negative twin: a page of another site, or of nobody, is not accepted."""
    assert await knock(host, origin) == "websocket.close"


@pytest.mark.parametrize("path", ["/", "/json", "/parts"])
async def test_every_answer_carries_the_headers(path: str) -> None:
    """Pages, data and refusals are dressed alike."""
    for answer in (await ask(path), await ask(path, "POST"), await ask(path, host="evil.example")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/", "/parts"])
async def test_a_pages_own_scripts_have_its_nonce(path: str) -> None:
    """Every script and style of the page carries the nonce of its policy; text that looks like one does not."""
    answer = await ask(path)
    found = re.search(r"'nonce-([\w-]{20,})'", answer.headers["content-security-policy"])
    assert found
    assert answer.text.count(f' nonce="{found[1]}"') == 3
    assert "&lt;script>3" in answer.text
    assert int(answer.headers.get("content-length", len(answer.content))) == len(answer.content)


async def test_no_nonce_is_used_twice() -> None:
    """Two answers have two nonces: one that leaked is worth nothing."""
    first, second = [(await ask()).headers["content-security-policy"] for _ in range(2)]
    assert first != second


def test_the_policy_allows_no_inline_script_and_no_other_host() -> None:
    """What NiceGUI forces is eval and style attributes; nothing else is open."""
    rules: dict[str, Any] = dict(part.split(" ", 1) for part in policy("x").split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self' 'nonce-x' 'unsafe-eval'"
    assert "'unsafe-inline'" not in rules["style-src-elem"]
    assert not [rule for rule in rules.values() if "http" in rule or "*" in rule]


async def test_a_forwarded_prefix_is_dropped() -> None:
    """It would go into every address of the page; who is allowed here does not send it."""
    assert "x-forwarded-prefix" not in (await ask("/json", **{"X-Forwarded-Prefix": "//evil.example"})).json()


@pytest.mark.parametrize(
    ("authority", "host"),
    [("a.b:1", "a.b"), ("http://A.b:1/x", "a.b"), ("[::1]:1", "::1"), ("", ""), ("[::1", ""), ("//", "")],
)
def test_a_host_is_read_from_an_authority(authority: str, host: str) -> None:
    """Names come out in lower case and without their port; nonsense is no name."""
    assert host_of(authority) == host
