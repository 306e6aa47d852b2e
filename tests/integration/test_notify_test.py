"""`make notify-test` against a real Alertmanager and receivers that speak their services' languages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.alertmanagers import LiveAlertmanager
from tests.support.assembled import TOKEN
from tests.support.mail import MailServer

import notify_test
from rig.sink import Sink

MADE = {"telegram_token": "123:abc", "telegram_chat_id": "-1001", "pagerduty_key": "key"}


@pytest.fixture
def service() -> Iterator[Sink]:
    """Answer as Telegram does, which is fine for every other service too; PagerDuty wants a 2xx."""
    sent = {"ok": True, "result": {"message_id": 1, "date": 1, "chat": {"id": -1001, "type": "group"}}}
    with Sink(status=200, text=json.dumps(sent)) as sink:
        yield sink


@pytest.fixture
def refusing() -> Iterator[Sink]:
    """Answer as a chat service does whose webhook was removed."""
    with Sink(status=404, text="no_team") as sink:
        yield sink


def run(alertmanager: LiveAlertmanager, *words: str) -> int:
    """Call the script as `make` does, with the log of this Alertmanager."""
    return notify_test.main(["--url", alertmanager.url, "--log", str(alertmanager.folder / "log"), *words])


def test_each_receiver_gets_a_real_alert_of_its_own(
    tmp_path: Path, service: Sink, capsys: pytest.CaptureFixture[str]
) -> None:
    """With everything configured each of the eight is told, in its own language, and the status is 0."""
    with MailServer() as mail:
        secrets = {
            **TOKEN,
            **MADE,
            **{f"{name}_url": f"{service.url}/{name}" for name in ("slack", "discord", "webhook", "deadman")},
            "telegram_api_url": service.url,
            "pagerduty_url": f"{service.url}/pagerduty",
            "smtp_smarthost": mail.address,
            "smtp_from": "eddie@example.org",
            "smtp_to": "me@example.org",
            "smtp_require_tls": "false",
        }
        with LiveAlertmanager(tmp_path, secrets, service.url, factor=1) as running:
            status = run(running)
        said = capsys.readouterr()
    assert status == 0, said
    assert said.out.count("ok     ") == 8
    assert "told: slack, discord, telegram, pagerduty, email, webhook" in said.out
    paths = {request.path for request in service.requests}
    assert paths == {"/slack", "/discord", "/webhook", "/deadman", "/alerts", "/pagerduty", "/bot123:abc/sendMessage"}
    for request in service.requests:
        assert request.path == "/alerts" or b"EddieNotifyTest" in request.body, request
    assert "EddieNotifyTest" in str(mail.messages[0]["Subject"])


def test_refusal_is_shown_in_the_receivers_own_words(
    tmp_path: Path, service: Sink, refusing: Sink, capsys: pytest.CaptureFixture[str]
) -> None:
    """A receiver that refuses costs the status, is shown with its own answer, and does not stop the next one."""
    secrets = {**TOKEN, "slack_url": f"{refusing.url}/slack", "webhook_url": f"{service.url}/webhook"}
    with LiveAlertmanager(tmp_path, secrets, service.url, factor=1) as running:
        assert run(running) == 1
    said = capsys.readouterr()
    failed = next(line for line in said.out.splitlines() if line.startswith("FAILED"))
    assert "slack" in failed
    assert "404" in failed
    assert "no_team" in failed
    assert "ok     webhook" in said.out


def test_mail_refusal_is_shown(
    tmp_path: Path, service: Sink, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a mail server says no with is shown as it said it."""
    monkeypatch.setattr(notify_test, "PATIENCE", 1.0)
    with MailServer(refusal="550 no such user here") as mail:
        secrets = {"smtp_smarthost": mail.address, "smtp_from": "a@example.org", "smtp_to": "b@example.org"}
        with LiveAlertmanager(
            tmp_path, {**TOKEN, **secrets, "smtp_require_tls": "false"}, service.url, factor=1
        ) as running:
            assert run(running, "email") == 1
    assert "no such user here" in capsys.readouterr().out


def test_nobody_configured_is_said_and_is_no_success(
    tmp_path: Path, service: Sink, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the inbox alone the inbox is tried, and the status says that nobody would be told."""
    with LiveAlertmanager(tmp_path, TOKEN, service.url, factor=1) as running:
        assert run(running) == 1
    said = capsys.readouterr().out
    assert "ok     inbox" in said
    assert "NOBODY IS TOLD" in said


def test_no_alertmanager_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """When no Alertmanager answers, the status is 2 and the next command is named."""
    assert notify_test.main(["--url", "http://127.0.0.1:9"]) == 2
    assert "make up" in capsys.readouterr().err


def test_unknown_receiver_is_refused(tmp_path: Path, service: Sink, capsys: pytest.CaptureFixture[str]) -> None:
    """A receiver that is not configured is refused before anything is sent, with the names there are."""
    with LiveAlertmanager(tmp_path, TOKEN, service.url, factor=1) as running:
        assert run(running, "slack") == 2
    assert "expected one of" in capsys.readouterr().err
    assert not service.requests
