"""`make send`: typed words, the curl line without the token, the answer, and Prometheus before and after."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
import typing
import urllib.parse
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import send
from eddie_exporter.decode import decode_one
from eddie_metrics.events import KINDS
from fleet import moves
from fleet.web import Answer, UnreachableError, ask
from fleet.words import WordsError, event_from
from rig.sink import Sink

NUMBERS: set[Any] = {int, float}
DEAD_LINE = ["timeout", "agent_id=a1", "reason=dead line"]
AWAY = "http://127.0.0.1:9"


class Prometheus:
    """A Prometheus of ten lines: ``up`` was scraped just now, each other series is one more at every question."""

    def __init__(self) -> None:
        self.asked: dict[str, int] = {}
        self.scrapes = True
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)["query"][0]
                outer.asked[query] = outer.asked.get(query, 0) + 1
                number = (time.time() if outer.scrapes else 1.0) if "up{" in query else float(outer.asked[query])
                body = json.dumps({"data": {"result": [{"metric": {}, "value": [0, str(number)]}]}}).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
                """Stay silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()


@pytest.fixture
def prometheus() -> Iterator[Prometheus]:
    """Give a Prometheus that has always just scraped."""
    fake = Prometheus()
    yield fake
    fake.server.shutdown()
    fake.server.server_close()


def words_for(kind: str) -> list[str]:
    """Return every field of a kind as words, with values of its type."""
    values = {
        "id": "01890a5d-ac96-774b-bcce-b302099a8057",
        "ts": "12.5",
        "outcome": "failure",
        "stages": "plan,code",
        "reasons": "deadline",
    }
    hints = typing.get_type_hints(KINDS[kind])
    names = [field.name for field in dataclasses.fields(KINDS[kind])]
    return [
        f"{name}={values.get(name, '3' if NUMBERS & {hints[name], *typing.get_args(hints[name])} else 'x1')}"
        for name in names
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_every_kind_can_be_said_in_words(kind: str) -> None:
    """Words become what the exporter's decoder takes: no text where a number belongs."""
    event = event_from(kind, words_for(kind))
    decoded = decode_one(kind, json.dumps(event).encode())
    assert len(event) == len(dataclasses.fields(KINDS[kind]))
    assert type(decoded).__name__ == KINDS[kind].__name__


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_metric_to_look_at(kind: str) -> None:
    """Whatever is sent, Prometheus is asked for something that it moves, in the project's job."""
    found = moves.queries(kind, event_from(kind, words_for(kind)))
    assert found
    assert all('{job="eddie-metrics"' in query for query in found)


@pytest.mark.parametrize(
    ("kind", "words", "said"),
    [
        ("timeuot", [], "did you mean timeout"),
        ("timeout", ["agent_id=a1"], "reason: needed"),
        ("timeout", ["agentid=a1", "reason=x"], "did you mean agent_id"),
        ("timeout", ["agent_id"], "expected name=value"),
        ("timeout", ["agent_id=a", "agent_id=b", "reason=x"], "twice"),
        ("task-split", ["task_id=t", "chunks=three"], "expected a whole number, got 'three'"),
        ("task-split", ["task_id=t", "chunks=3.5"], "expected a whole number"),
        ("chunk-execution", ["agent_id=a", "seconds=long"], "expected a number"),
        ("chunk-execution", ["agent_id=a", "seconds=1", "outcome=well"], "expected one of success, failure, timeout"),
    ],
)
def test_wrong_words_are_named_with_what_was_expected(kind: str, words: list[str], said: str) -> None:
    """Negative twin: each mistake says which word and what would be right."""
    with pytest.raises(WordsError, match=said):
        event_from(kind, words)


def test_text_that_looks_like_a_number_stays_text_where_the_contract_says_text() -> None:
    """An agent may be called 3; three chunks are a number."""
    assert event_from("timeout", ["agent_id=3", "reason=a=b"]) == {"agent_id": "3", "reason": "a=b"}
    assert event_from("task-split", ["task_id=t", "chunks=3"])["chunks"] == 3


def test_it_shows_the_curl_line_the_answer_and_before_and_after(
    prometheus: Prometheus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One call, exit 0: line to type, 202 with its body, and the counter one higher."""
    token = tmp_path / "ingest_token"
    token.write_text("topsecret\n")
    with Sink(status=202, text='{"accepted": 1, "duplicates": 0}') as sink:
        code = send.main(
            [
                "timeout",
                "agent_id=a1",
                "reason=dead line",
                "--url",
                sink.url,
                "--prometheus",
                prometheus.url,
                "--token-file",
                str(token),
            ]
        )
    out = capsys.readouterr().out
    assert code == 0
    assert f'curl -sS -H "Authorization: Bearer $(cat {token})" -d \'' in out
    assert "topsecret" not in out
    assert '202 {"accepted": 1, "duplicates": 0}' in out
    assert 'timeout_events_total{job="eddie-metrics",agent_id="a1",reason="dead line"}: 1 → 2' in out
    assert sink.requests[0].headers["authorization"] == "Bearer topsecret"
    sent = json.loads(sink.requests[0].body)
    assert uuid.UUID(sent.pop("id")).version == 7
    assert sent == {"agent_id": "a1", "reason": "dead line"}


def test_the_line_reads_the_token_out_of_a_file_with_producers(tmp_path: Path) -> None:
    """A file of `producer token` lines needs more than cat."""
    token = tmp_path / "ingest_token"
    token.write_text("fleet one\nother two\n")
    assert f"$(awk 'NR==1{{print $NF}}' {token})" in send.curl("http://x", "{}", token)
    assert "Authorization" not in send.curl("http://x", "{}", None)


def test_a_refused_event_is_an_error_with_the_answer(
    prometheus: Prometheus, capsys: pytest.CaptureFixture[str]
) -> None:
    """A 422 is shown as it is; nobody waits for a scrape."""
    with Sink(status=422, text='{"field": "reason"}') as sink:
        code = send.main(["timeout", "agent_id=a", "reason=", "--url", sink.url, "--prometheus", prometheus.url])
    assert code == 1
    assert '422 {"field": "reason"}' in capsys.readouterr().out


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tries follow each other at once."""
    monkeypatch.setattr(send, "PAUSES", (0.0, 0.0, 0.0))


@pytest.mark.usefixtures("hasty")
def test_a_busy_exporter_gets_the_same_event_again(
    prometheus: Prometheus, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A 503, then nobody, then 202: three tries with one id, so it counts once whichever of them arrived."""
    answers: list[Answer | UnreachableError] = [
        Answer(503, "overloaded"), UnreachableError("no answer"), Answer(202, '{"accepted": 0, "duplicates": 1}')
    ]  # fmt: skip
    bodies: list[bytes] = []
    real = ask

    def scripted(url: str, body: bytes | None = None, **more: Any) -> Answer:
        if body is None:
            return real(url, **more)
        bodies.append(body)
        said = answers.pop(0)
        if isinstance(said, UnreachableError):
            raise said
        return said

    monkeypatch.setattr(send, "ask", scripted)
    assert send.main(["timeout", "agent_id=a", "reason=b", "--url", AWAY, "--prometheus", prometheus.url]) == 0
    assert len(bodies) == 3
    assert len(set(bodies)) == 1
    assert "duplicates" in capsys.readouterr().out


def test_an_id_of_ones_own_is_kept(prometheus: Prometheus) -> None:
    """Whoever names an id sends that one."""
    mine = "01890a5d-ac96-774b-bcce-b302099a8057"
    with Sink(status=202, text="{}") as sink:
        words = ["timeout", "agent_id=a", "reason=b", f"id={mine}", "--url", sink.url, "--prometheus", prometheus.url]
        assert send.main(words) == 0
    assert json.loads(sink.requests[0].body)["id"] == mine


@pytest.mark.usefixtures("hasty")
def test_without_an_exporter_it_says_what_to_do(prometheus: Prometheus, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody answers any try: exit 1 and the command that helps."""
    code = send.main(["timeout", "agent_id=a", "reason=b", "--url", AWAY, "--prometheus", prometheus.url])
    assert code == 1
    assert "make up" in capsys.readouterr().err


def test_without_prometheus_the_event_is_sent_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """The answer is shown, what could not be seen is said, exit 1."""
    with Sink(status=202, text='{"accepted": 1}') as sink:
        code = send.main(["timeout", "agent_id=a", "reason=b", "--url", sink.url, "--prometheus", AWAY])
    said = capsys.readouterr()
    assert code == 1
    assert "202" in said.out
    assert "sent all the same" in said.err
    assert len(sink.requests) == 1


def test_a_prometheus_that_does_not_scrape_is_an_error(
    prometheus: Prometheus, capsys: pytest.CaptureFixture[str]
) -> None:
    """No scrape in time: exit 1 and where to look, no made-up number."""
    prometheus.scrapes = False
    with Sink(status=202) as sink:
        code = send.main(
            [
                "timeout",
                "agent_id=a",
                "reason=b",
                "--url",
                sink.url,
                "--prometheus",
                prometheus.url,
                "--patience",
                "0.1",
            ]
        )
    said = capsys.readouterr()
    assert code == 1
    assert "saw none" in said.err
    assert "→" not in said.out
