"""Station *event out*: what a client makes of its settings."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
from tests.support.scripted_exporter import scripted

from eddie_metrics import Client


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("EDDIE_"):
            monkeypatch.delenv(name)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Answer what the client said."""
    return [one.getMessage() for one in caplog.records if one.name == "eddie_metrics"]


@pytest.mark.parametrize("agent_id", ["0123456789ab", "0123456789ab" * 5 + "cdef"])
def test_an_agent_id_like_a_containers_is_warned_of_once(agent_id: str, caplog: pytest.LogCaptureFixture) -> None:
    """Such a name is new with every container: the log says so, and which setting mends it; the client works."""
    with scripted() as script, Client(script.url, agent_id=agent_id) as client:
        for _ in range(3):
            client.record_timeout(reason="x")
        assert client.flush(5)
        assert [event["agent_id"] for event in script.events()] == [agent_id] * 3
    (said,) = told(caplog)
    assert "EDDIE_AGENT_ID" in said


@pytest.mark.parametrize("agent_id", ["0123456789a", "0123456789ag", "planner-1", "0123456789AB", "a" * 63])
def test_any_other_agent_id_is_not_warned_of(agent_id: str, caplog: pytest.LogCaptureFixture) -> None:
    """Negative twin: names that only resemble one."""
    Client("http://127.0.0.1:9", agent_id=agent_id).close()
    assert told(caplog) == []


def test_the_environment_says_what_the_code_does_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each setting has its EDDIE_*; what the code says goes before it."""
    with scripted() as script:
        monkeypatch.setenv("EDDIE_URL", script.url)
        monkeypatch.setenv("EDDIE_AGENT_ID", "from-outside")
        monkeypatch.setenv("EDDIE_PRODUCER", "named")
        monkeypatch.setenv("EDDIE_OUTBOX", str(tmp_path / "outbox"))
        monkeypatch.setenv("EDDIE_TOKEN_FILE", str(tmp_path / "token"))
        (tmp_path / "token").write_text("secret\n")
        with Client() as client, Client(agent_id="from-code", producer="other", outbox=tmp_path / "its") as other:
            for one in (client, other):
                one.record_timeout(reason="x")
                assert one.flush(5)
            assert {path.name for path in tmp_path.iterdir()} == {"outbox", "token", "its"}
    assert [event["agent_id"] for event in script.events()] == ["from-outside", "from-code"]
    assert [one.identity[0] for one in script.taken] == ["named", "other"]
    assert {one.headers["authorization"] for one in script.taken} == {"Bearer secret"}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("EDDIE_URL", "exporter:8503", "an address such as http://127.0.0.1:8503"),
        ("EDDIE_URL", "http://exporter:port", "an address such as http://127.0.0.1:8503"),
        ("EDDIE_OUTBOX_BYTES", "1GiB", "a number of bytes, at least 65536"),
        ("EDDIE_AGENT_ID", "__name__", "not beginning with `__`"),
    ],
)
def test_a_bad_setting_is_said_once_and_costs_the_agent_nothing_else(
    name: str, value: str, expected: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is raised; events are counted as dropped; the log says what was expected."""
    monkeypatch.setenv(name, value)
    client = Client()
    for _ in range(3):
        client.record_timeout(reason="x")
    assert client.close()
    assert client.dropped() == {"settings": 3}
    (said,) = told(caplog)
    assert name.removeprefix("EDDIE_").lower() in said.lower()
    assert expected in said


@pytest.mark.parametrize("content", [None, "", "somebody-else token\n"])
def test_a_token_file_without_a_token_is_said_once_and_one_that_comes_is_used(
    content: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Missing, empty, or somebody else's: events wait for the exporter's word; nothing is lost."""
    token = tmp_path / "token"
    if content is not None:
        token.write_text(content)
    with scripted() as script:
        script.judge = lambda one: None if "authorization" in one.headers else (503, {"error": "not yet"}, {})
        with caplog.at_level(logging.WARNING), Client(script.url, agent_id="a", token_file=token) as client:
            client.record_timeout(reason="x")
            assert not client.flush(0.5)
            token.write_text("good\n")
            assert client.flush(10)
            assert [one.headers["authorization"] for one in script.taken] == ["Bearer good"]
    assert len([said for said in told(caplog) if said.startswith("no token")]) == 1
