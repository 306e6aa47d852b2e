"""Station "prometheus": every way in which Prometheus can fail is one class, with a sentence that says which."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import httpx
import pytest
from tests.support.answering import Answering

from eddie_board.errors import PrometheusError
from eddie_board.prometheus import CONNECTIONS, MOST_BYTES, Prometheus
from eddie_board.queries import Query
from eddie_board.settings import Settings


def query(expression: str = "up", **more: Any) -> Query:
    """Return a query over ten minutes."""
    given = {"panel": 1, "title": "t", "ref": "A", "legend": "", "datasource": "", "start": 0.0, "end": 600.0}
    return Query(**{**given, "step": 60.0, "expression": expression, **more})


def error(kind: str, text: str) -> str:
    """Return the body of Prometheus's own refusal."""
    return f'{{"status":"error","errorType":"{kind}","error":"{text}"}}'


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        (httpx.ConnectError("refused"), "down", "nobody listens at 127.0.0.1:9090"),
        (httpx.ReadError(""), "down", "broke off"),
        (httpx.RemoteProtocolError(""), "down", "broke off"),
        ((503, "Service Unavailable"), "restarting", "starting or stopping"),
        ((503, error("timeout", "query timed out in expression evaluation")), "slow", "gave the query up"),
        ((400, error("bad_data", "parse error: unexpected end")), "refused", "parse error: unexpected end"),
        ((422, error("execution", "many-to-many matching not allowed")), "refused", "many-to-many"),
        ((422, error("execution", "query processing would load too many samples")), "too-much", "too big"),
        ((200, "<html>a portal</html>"), "odd", "does not answer as Prometheus does"),
        ((200, '{"status":"success"}'), "odd", "does not answer as Prometheus does"),
        ((200, '{"status":"success","data":[7]}'), "odd", "does not answer as Prometheus does"),
        ((401, "who are you"), "odd", "HTTP 401"),
        ((302, ""), "odd", "HTTP 302"),
    ],
)
async def test_each_fault_has_its_kind_and_sentence(fault: Any, kind: str, said: str) -> None:
    """Down, restarting, slow, refused, too much and odd are told apart by what Prometheus does."""
    answering = Answering()
    answering.fault = fault
    async with answering.prometheus() as prometheus:
        with pytest.raises(PrometheusError, match=said) as raised:
            await prometheus.columns(query())
    assert raised.value.kind == kind


class Busy:
    """A Prometheus that takes its time for each answer; counts how many questions it had at once."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.now, self.most = seconds, 0, 0

    async def __call__(self, _request: httpx.Request) -> httpx.Response:
        """Answer after a while."""
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(self.seconds)
        self.now -= 1
        return httpx.Response(200, json={"status": "success", "data": {"resultType": "matrix", "result": []}})

    def prometheus(self) -> Prometheus:
        """Return the board's client of it, which waits a second for an answer."""
        http = httpx.AsyncClient(transport=httpx.MockTransport(self))
        return Prometheus(Settings(board_timeout_seconds=1), http)


async def test_waiting_for_a_turn_is_not_prometheus_being_slow() -> None:
    """A hundred questions at once: some at a time, and the last, whose turn comes late, is answered all the same."""
    busy = Busy(0.3)
    async with busy.prometheus() as prometheus:
        answers = await asyncio.gather(*(prometheus.columns(query(f"x{number}")) for number in range(100)))
    assert len(answers) == 100
    assert busy.most == CONNECTIONS


async def test_who_gets_no_turn_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue has an end too, its sentence blames nobody, and who left it or failed in it keeps no place."""
    monkeypatch.setattr("eddie_board.prometheus.TURN_SECONDS", 0.05)
    busy = Busy(0.5)
    async with busy.prometheus() as prometheus:
        asked = [asyncio.create_task(prometheus.columns(query())) for _ in range(CONNECTIONS + 1)]
        with pytest.raises(PrometheusError, match="no turn within") as raised:
            await asked.pop()
        assert raised.value.kind == "slow"
        asked.pop().cancel()
        await asyncio.gather(*asked)
        busy.seconds = 0
        assert len(await asyncio.gather(*(prometheus.columns(query()) for _ in range(CONNECTIONS)))) == CONNECTIONS


async def test_silence_is_slow_after_the_timeout() -> None:
    """Who says nothing is given up after the setting's time, and the sentence says how long that was."""
    answering = Answering()
    answering.held = asyncio.Event()
    async with answering.prometheus(board_timeout_seconds=0.1) as prometheus:
        with pytest.raises(PrometheusError, match=r"no answer within 0\.1 s") as raised:
            await prometheus.columns(query())
    assert raised.value.kind == "slow"


async def test_an_endless_answer_is_cut_off() -> None:
    """An answer too big for this page's memory is a fault that says what to do, and is not read to its end."""
    answering = Answering()
    answering.fault = (200, " " * (MOST_BYTES + 1))
    async with answering.prometheus() as prometheus:
        with pytest.raises(PrometheusError, match="choose a shorter time") as raised:
            await prometheus.columns(query())
    assert raised.value.kind == "too-much"


async def test_a_password_in_the_address_is_not_repeated() -> None:
    """Sentences stand on a page that everybody sees."""
    answering = Answering()
    answering.fault = (500, "")
    async with answering.prometheus(prometheus_url="http://me:secret@box:1234") as prometheus:
        with pytest.raises(PrometheusError, match="box:1234") as raised:
            await prometheus.columns(query())
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("15d", 1_296_000), ("1w2d12h", 820_800), ("15d or 50GiB", 1_296_000), ("50GiB", math.inf), ("", math.inf)],
)
async def test_retention_is_read_as_prometheus_says_it(said: str, seconds: float) -> None:
    """By time, by size or by both; by size alone there is no limit of time."""
    answering = Answering()
    answering.retention = said
    async with answering.prometheus() as prometheus:
        assert await prometheus.retention() == seconds


async def test_a_query_too_long_for_an_address_is_sent_as_a_form() -> None:
    """A thousand agents' names in one query still arrive."""
    answering = Answering()
    long = 'up{agent_id=~"' + "|".join(f"agent-{number}" for number in range(10_000)) + '"}'
    async with answering.prometheus() as prometheus:
        (row,) = (await prometheus.columns(query(long))).rows
    assert row[1] == (1.0,) * 11
    assert list(answering.asked) == [f"query_range {long}"]


async def test_instant_queries_answer_labels_and_values() -> None:
    """The chain's questions are one number a series."""
    async with Answering().prometheus() as prometheus:
        assert await prometheus.query("up", 7) == [({"x": "y"}, 1.0)]
