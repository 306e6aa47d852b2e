"""Station *event out*: the way to the exporter, over TLS, past proxies, by a name that is slow to resolve."""

from __future__ import annotations

import email.utils
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import certificates
from tests.support.scripted_exporter import Scripted, scripted

from eddie_metrics import Client, wire

NAME = "exporter.example"
"""A host that is not this one by its name, and is by its address."""


@pytest.fixture
def script() -> Iterator[Scripted]:
    """Answer an exporter that takes everything."""
    with scripted() as found:
        yield found


@pytest.fixture
def resolving(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Answer a function that says what happens before the name is resolved, to this machine."""
    real = socket.getaddrinfo

    def say(before: Callable[[], None]) -> None:
        def answer(host: str, *rest: Any, **more: Any) -> Any:
            if host == NAME:
                before()
                host = "127.0.0.1"
            return real(host, *rest, **more)

        monkeypatch.setattr(socket, "getaddrinfo", answer)

    return say


def test_a_certificate_that_nobody_trusts_keeps_events_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """They wait, and the log says why; once SSL_CERT_FILE names its authority they arrive."""
    certificate, context = certificates.own(tmp_path)
    with scripted(tls=context) as script:
        url = f"https://127.0.0.1:{script.port}"
        with caplog.at_level(logging.WARNING), Client(url, agent_id="a") as client:
            client.record_timeout(reason="x")
            assert not client.flush(0.5)
            assert (script.requests, client.waiting) == ([], 1)
            assert "CERTIFICATE_VERIFY_FAILED" in caplog.text
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            assert client.flush(10)
        assert len(script.events()) == 1


def test_no_proxy_of_the_environment_is_used(
    script: Scripted, monkeypatch: pytest.MonkeyPatch, resolving: Callable[[Callable[[], None]], None]
) -> None:
    """Not for loopback, not for another host: one that answers would take events that the exporter never sees."""
    resolving(lambda: None)
    with scripted() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.upper(), proxy.url)
        for host in ("127.0.0.1", NAME):
            with Client(f"http://{host}:{script.port}", agent_id="a") as client:
                client.record_timeout(reason="x")
                assert client.flush(5)
        assert (len(script.events()), proxy.requests) == (2, [])


def test_a_large_batch_is_packed_for_a_network_and_not_for_loopback(
    script: Scripted, resolving: Callable[[Callable[[], None]], None]
) -> None:
    """The exporter reads both; a small one is never worth it."""
    resolving(lambda: None)
    for host, events in ((NAME, 1000), (NAME, 1), ("127.0.0.1", 1000)):
        with Client(f"http://{host}:{script.port}", agent_id="a") as client:
            for _ in range(events):
                client.record_timeout(reason="x")
            assert client.flush(5)
    assert len(script.events()) == 2001
    packed = {len(one.events): one.headers.get("content-encoding") for one in script.taken[:2]}
    assert packed == {1000: "gzip", 1: None}
    assert [one.headers.get("content-encoding") for one in script.taken[2:]] == [None]


def test_a_name_that_is_slow_to_resolve_holds_neither_the_agent_nor_its_end(
    script: Scripted, resolving: Callable[[Callable[[], None]], None]
) -> None:
    """Recording goes on, `close` keeps its time; nothing of it waits for the resolver."""
    held, asked = threading.Event(), threading.Event()

    def slow() -> None:
        asked.set()
        held.wait(30)

    resolving(slow)
    client = Client(f"http://{NAME}:{script.port}", agent_id="a")
    client.record_timeout(reason="first")
    assert asked.wait(10)
    for _ in range(1000):
        client.record_timeout(reason="meanwhile")
    began = time.monotonic()
    assert not client.close(0.2)
    assert time.monotonic() - began < 5, "expected an end long before the resolver's 30 s"
    assert not held.is_set()
    assert client.dropped() == {"closed": 1001}
    held.set()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), (" 7 ", 7), ("999999", 3600), ("-1", None), ("soon", None), ("", None), ("1e3", None), (None, None)],
)
def test_retry_after_is_believed_up_to_an_hour(header: str | None, seconds: float | None) -> None:
    """Seconds; what is none of both is no wish."""
    assert wire._seconds(header) == seconds


@pytest.mark.parametrize(("ahead", "seconds"), [(100, 100), (-100, 0), (1e6, 3600)])
def test_retry_after_may_be_a_date(ahead: float, seconds: float) -> None:
    """Until then; one that is past means now."""
    assert wire._seconds(email.utils.formatdate(time.time() + ahead, usegmt=True)) == pytest.approx(seconds, abs=2)
