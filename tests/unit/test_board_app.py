"""The whole board with nobody to ask: its routes, its pages, and what it leaves in the working folder."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from tests.support.eventually import eventually
from tests.support.panels import COUNT, SHIPPED

import eddie_board
from eddie_board.app import create_app
from eddie_board.queries import Query
from eddie_board.settings import Settings
from eddie_board.webpage import QueryLinks

PATH = "/d/eddie-distributed-fallback"
NOBODY = "http://127.0.0.1:9"
"""Discard: nobody listens there."""

HOSTILE = "</script><img src=x onerror=alert(1)>`${1}`"


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Run the board, with the shipped dashboard, one with a hostile title, and a file that is no dashboard."""
    folder, local = tmp_path_factory.mktemp("shipped"), tmp_path_factory.mktemp("local")
    (folder / SHIPPED.name).write_text(SHIPPED.read_text())
    (local / "hostile.json").write_text(json.dumps({"uid": "hostile", "title": HOSTILE, "panels": []}))
    (local / "broken.json").write_text("{")
    settings = Settings(
        dashboards_path=folder, local_dashboards_path=local, prometheus_url=NOBODY, alertmanager_url=NOBODY
    )
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(create_app(settings), log_config=None, lifespan="on", ws="websockets-sansio")
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", trust_env=False) as client:
        eventually(lambda: client.get("/api/health").raise_for_status(), within=20)
        yield client
    server.should_exit = True
    thread.join(20)
    listener.close()


def test_health_is_grafanas(board: httpx.Client) -> None:
    """Whoever waits for Grafana's health is answered, and told who this is."""
    answer = board.get("/api/health")
    assert answer.status_code == 200
    assert answer.json() == {"database": "ok", "program": "eddie-board", "version": eddie_board.__version__}


@pytest.mark.parametrize("path", [PATH, f"{PATH}/any-slug", f"{PATH}?viewPanel=5", f"{PATH}?from=nonsense&var-x=y"])
def test_grafanas_paths_are_pages(board: httpx.Client, path: str) -> None:
    """With a slug or without, and with whatever parameters, a dashboard's address is a page."""
    answer = board.get(path)
    assert answer.status_code == 200
    assert "<title>Distributed fallback</title>" in answer.text


def test_the_first_page_has_its_panels(board: httpx.Client) -> None:
    """The panels' elements are in the first answer, before anything was asked of Prometheus."""
    assert board.get(PATH).text.count('"tag":"nicegui-panel"') == COUNT
    assert board.get(f"{PATH}?viewPanel=5").text.count('"tag":"nicegui-panel"') == 1


def test_an_unknown_dashboard_is_404_and_says_what_there_is(board: httpx.Client) -> None:
    """Negative twin: another uid is not found, and the page leads to what is there."""
    answer = board.get("/d/nobody-made-it")
    assert answer.status_code == 404
    assert PATH in answer.text
    assert "nobody-made-it" in answer.text


def test_the_start_lists_dashboards_and_what_is_wrong_with_files(board: httpx.Client) -> None:
    """All dashboards are listed, and a file that cannot be read is named with its fault."""
    answer = board.get("/")
    assert answer.status_code == 200
    assert PATH in answer.text
    assert answer.text.count("broken.json") == 1


def test_no_text_becomes_markup(board: httpx.Client) -> None:
    """A title that looks like markup and like JavaScript stays a text, in the title, the list and the data."""
    for path in ("/", "/d/hostile", f"/d/{HOSTILE.replace('/', '%2F')}", f"{PATH}?from={HOSTILE}&var-agent={HOSTILE}"):
        answer = board.get(path)
        assert "<img" not in answer.text
        assert "</script><" not in answer.text
        assert "`${1}`" not in answer.text.partition("String.raw")[2]


def test_nothing_is_kept_in_browsers_or_files(board: httpx.Client) -> None:
    """No cookie is set, and the working folder stays as it was: a container's is read-only."""
    assert "set-cookie" not in board.get(PATH).headers
    assert not Path(".nicegui").exists()


def test_pages_are_not_cached_and_scripts_are(board: httpx.Client) -> None:
    """A page is always asked for anew; NiceGUI's own files are kept, for their address has its version."""
    page = board.get(PATH)
    assert page.headers["cache-control"] == "no-store"
    style = next(part for part in page.text.split('"') if part.startswith("/assets/board.css?"))
    assert board.get(style).headers["content-type"].startswith("text/css")
    assert board.get("/script/draw.js").headers["content-type"].startswith("text/javascript")


def test_only_what_is_meant_is_served(board: httpx.Client) -> None:
    """The package's own source is not among the files a browser can get."""
    for path in (
        "/assets/../app.py",
        "/assets/%2e%2e/app.py",
        "/script/__init__.py",
        "/assets/",
        "/docs",
        "/openapi.json",
    ):
        assert board.get(path).status_code == 404


def knocked(board: httpx.Client, origin: str | None) -> int:
    """Ask for a websocket as a browser does; return the status of the answer, 101 when it was opened."""
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        **({} if origin is None else {"Origin": origin}),
    }
    with board.stream("GET", "/_nicegui_ws/socket.io/?EIO=4&transport=websocket", headers=headers) as answer:
        return answer.status_code


@pytest.mark.parametrize("origin", ["http://evil.example", "null", None])
def test_another_sites_websocket_is_refused(board: httpx.Client, origin: str | None) -> None:
    """The guard stands before NiceGUI's own websocket, which would let everybody in."""
    assert knocked(board, origin) == 403


def test_its_own_websocket_is_accepted(board: httpx.Client) -> None:
    """Negative twin: the same socket opens for the board's own page."""
    assert knocked(board, str(board.base_url).rstrip("/")) == 101


QUERY = Query(
    panel=1, title="t", ref="A", expression='up{a="&#"}', legend="", datasource="", start=1000, end=4600, step=15
)  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (httpx.Response(200, html="<html>"), "http://prometheus.example/graph?g0.expr=up%7Ba%3D%22%26%23%22%7D&"),
        (
            httpx.Response(404, text="not found"),
            "http://prometheus.example/api/v1/query_range?query=up%7Ba%3D%22%26%23",
        ),
        (httpx.Response(200, text="not found"), "http://prometheus.example/api/v1/query_range?query="),
        (httpx.ConnectError("refused"), "http://prometheus.example/api/v1/query_range?query="),
    ],
)
async def test_a_query_leads_to_where_it_can_be_read(answer: httpx.Response | Exception, expected: str) -> None:
    """Prometheus's page where it has one; the API's answer where it was built without, and where nobody knows."""

    def respond(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as http:
        links = QueryLinks(http, "http://127.0.0.1:9090/", "http://prometheus.example/")
        await links.look()
    assert links.of(QUERY).startswith(expected)


async def test_the_page_is_looked_for_again() -> None:
    """A Prometheus that comes back with a page, or without one, is seen at the next look; a fault changes nothing."""
    answers: list[httpx.Response | Exception] = [
        httpx.Response(404), httpx.Response(200, html="<html>"), httpx.ReadTimeout("slow"), httpx.Response(404),
    ]  # fmt: skip

    def respond(_: httpx.Request) -> httpx.Response:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as http:
        links = QueryLinks(http, "http://a", "http://b")
        seen = []
        while answers:
            await links.look()
            seen.append(links.page)
    assert seen == [False, True, True, False]
