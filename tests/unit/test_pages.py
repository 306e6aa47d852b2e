"""Pages: what answers and what does not, every text escaped, nothing loaded from anywhere."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.exporters import app_with, client_of

from eddie_exporter.pages import render_markdown


@asynccontextmanager
async def answering(status: str | None, body: str = "") -> AsyncIterator[str]:
    """Serve ``status`` and ``body`` to every request (None: accept and keep silent) and give the address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if status is not None:
            head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
            writer.write(f"{head}{body}".encode())
            await writer.drain()
        else:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def row(page: str, name: str) -> str:
    """Answer the line of the page that names ``name``, without its tags but with its mark."""
    (line,) = [line for line in page.splitlines() if f">{name}<" in line]
    return re.sub(r"<[^>]*aria-label=\"([^\"]*)\"[^>]*>|<[^>]+>", r"\1 ", line)


async def test_the_page_says_what_answers() -> None:
    """A neighbour that answers is good, one that is ill or away is bad, one not asked is neither."""
    async with answering("200 OK") as good, answering("503 Service Unavailable") as ill:
        app = app_with(prometheus_url=good, alertmanager_url=ill, grafana_url="http://127.0.0.1:9")
        async with client_of(app) as http:
            page = (await http.get("/")).text
    assert re.search("good .*answers", row(page, "Prometheus"))
    assert re.search("bad .*answers HTTP 503", row(page, "Alertmanager"))
    assert re.search("bad .*does not answer", row(page, "Grafana"))
    async with client_of(app_with()) as http:
        assert re.search("not known .*not asked", row((await http.get("/")).text, "Grafana"))


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ('[{"metric": {}, "value": [1, "1"]}]', "good .*answers Prometheus"),
        ('[{"metric": {}, "value": [1, "0"]}]', "bad .*does not answer Prometheus"),
        ("[]", "not known .*not asked"),
    ],
)
async def test_where_no_way_leads_to_grafana_prometheus_is_asked(result: str, said: str) -> None:
    """In containers the exporter cannot reach Grafana; Prometheus scrapes it, or knows of none."""
    async with (
        answering("200 OK", f'{{"data": {{"result": {result}}}}}') as url,
        client_of(app_with(prometheus_url=url)) as http,
    ):
        assert re.search(said, row((await http.get("/")).text, "Grafana"))


async def test_who_stands_in_for_grafana_is_named() -> None:
    """A board at Grafana's address is shown as what it is, with Grafana's link."""
    health = '{"database": "ok", "program": "eddie-board", "version": "0.1.0"}'
    async with (
        answering("200 OK", health) as url,
        client_of(app_with(public_url="http://box", grafana_url=url)) as http,
    ):
        page = (await http.get("/")).text
    assert re.search("good .*answers", row(page, "Board (in Grafana&#x27;s place)"))
    assert 'href="http://box:3000"' in page
    assert ">Grafana<" not in page


@pytest.mark.parametrize(
    "health", ['{"database": "ok", "version": "13.2.3"}', '{"program": ["eddie-board"]}', "[1]", "x" * 9000]
)
async def test_anything_else_there_is_grafana(health: str) -> None:
    """An answer without a name that is known is taken for Grafana's, however odd or long it is."""
    async with answering("200 OK", health) as url, client_of(app_with(grafana_url=url)) as http:
        assert re.search("good .*answers", row((await http.get("/")).text, "Grafana"))


async def test_silent_neighbours_hold_the_page_up_once() -> None:
    """Three that accept and say nothing cost one time-out together, not three."""
    async with answering(None) as url:
        app = app_with(prometheus_url=url, alertmanager_url=url, grafana_url=url)
        async with client_of(app) as http:
            began = time.monotonic()
            page = (await http.get("/")).text
    assert time.monotonic() - began < 3
    assert "does not answer" in row(page, "Grafana")


@pytest.mark.parametrize("url", ["nonsense", "http://[", "ftp://x", "http://127.0.0.1:99999"])
async def test_an_address_that_is_none_is_no_fault(url: str) -> None:
    """A setting that is no address is a neighbour that does not answer."""
    async with client_of(app_with(prometheus_url=url, alertmanager_url=url)) as http:
        answer = await http.get("/")
    assert answer.status_code == 200
    assert "does not answer" in row(answer.text, "Prometheus")


async def test_links_are_those_for_people() -> None:
    """The links are the public addresses, not those the exporter asks."""
    app = app_with(
        public_url="http://box", grafana_public_url="https://panels.example/g", prometheus_url="http://127.0.0.1:9"
    )
    async with client_of(app) as http:
        page = (await http.get("/")).text
    assert 'href="http://box:9090"' in page
    assert 'href="https://panels.example/g"' in page
    assert "127.0.0.1" not in page


async def test_texts_are_escaped_and_nothing_is_loaded() -> None:
    """A setting with HTML in it is shown as text; there is no script, and the policy allows none."""
    async with client_of(app_with(grafana_public_url='"><script>alert(1)</script>')) as http:
        answer = await http.get("/")
    assert "<script" not in answer.text
    assert "src=" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "script-src" not in policy


async def test_the_page_says_that_docker_is_off_and_nobody_scraped() -> None:
    """The chain's state is on the page."""
    async with client_of(app_with()) as http:
        page = (await http.get("/")).text
    assert "off" in row(page, "Docker")
    assert "never since the start" in row(page, "Last scrape by Prometheus")


async def test_the_page_says_what_is_wrong_here(tmp_path: Path) -> None:
    """A runbook that is missing and a token file that broke are red; with both there, they are green."""
    token, runbook = tmp_path / "token", tmp_path / "runbook.md"
    token.write_text("t")
    async with client_of(app_with(ingest_token_file=token, runbook=runbook)) as http:
        runbook.write_text("# Runbook")
        page = (await http.get("/")).text
        assert row(page, "Runbook").strip().startswith("good")
        assert row(page, "Health").strip().startswith("good")
        token.unlink()
        runbook.unlink()
        page = (await http.get("/")).text
        assert re.search("bad .*EDDIE_RUNBOOK", row(page, "Runbook"))
        assert re.search("bad .*ingest token file", row(page, "Health"))


async def test_the_runbook_is_a_page_with_anchors(tmp_path: Path) -> None:
    """Each heading has its anchor in lower case, so that an alert's link leads to it; tables are tables."""
    file = tmp_path / "runbook.md"
    file.write_text("## HighFailureRate\n\n### First\n\n## `Watchdog`, dead\n\n### First\n\n|a|\n|-|\n|b|\n")
    async with client_of(app_with(runbook=file)) as http:
        answer = await http.get("/runbook")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    for anchor in ("highfailurerate", "watchdog-dead", "first", "first-1"):
        assert answer.text.count(f'id="{anchor}"') == 1
    assert "<td>b</td>" in answer.text


async def test_a_missing_runbook_says_which_setting(tmp_path: Path) -> None:
    """404 names EDDIE_RUNBOOK, for a file that is not there and for one that is no text."""
    noise = tmp_path / "noise"
    noise.write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "none.md", noise, tmp_path):
        async with client_of(app_with(runbook=path)) as http:
            answer = await http.get("/runbook")
        assert answer.status_code == 404
        assert "EDDIE_RUNBOOK" in answer.json()["expected"]


def test_html_in_the_runbook_is_shown_not_obeyed() -> None:
    """A script in Markdown is text, and a link to one is no link."""
    shown = render_markdown("# <b>x</b>\n\n<script>alert(1)</script>\n\n[x](javascript:alert(1))")
    assert "<script" not in shown
    assert "<b>" not in shown
    assert "href" not in shown


async def test_docs_need_nothing_from_outside() -> None:
    """The API's page and all it loads come from this process."""
    async with client_of(app_with()) as http:
        page = await http.get("/docs")
        loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert [path for path in loaded if not path.startswith(("/docs/", "data:"))] == []
        for path in loaded:
            if path.startswith("/docs/"):
                assert (await http.get(path)).status_code == 200
    assert "//" not in page.headers["content-security-policy"]
