"""Is anybody told: Alertmanager's configuration is read, and the inbox and the heartbeat are no persons."""

from __future__ import annotations

import httpx
import pytest
from tests.support.collectors import Clock

from eddie_exporter.told import Audience, persons

INBOX_ONLY = """
route: {receiver: inbox, routes: [{matchers: ['alertname="Watchdog"'], receiver: deadman}]}
receivers:
  - name: inbox
    webhook_configs: [{url_file: /run/inbox_url}]
  - name: deadman
    webhook_configs: [{url_file: /secrets/deadman_url}]
  - name: nobody-is-told
  - name: unused
    slack_configs: [{api_url_file: /secrets/slack_url}]
"""
WITH_SLACK = INBOX_ONLY.replace("routes: [", "routes: [{routes: [{receiver: unused}]}, ")


def test_the_inbox_tells_nobody() -> None:
    """With inbox, heartbeat, an empty receiver and one that no route uses, nobody is told."""
    assert persons(INBOX_ONLY) == []


def test_a_receiver_in_use_tells_somebody() -> None:
    """A receiver some route leads to, however deep, is a person."""
    assert persons(WITH_SLACK) == ["unused"]


@pytest.mark.parametrize(
    "config", ["", "[]", "x", "route: {}", "receivers: []", "route: 1\nreceivers: 1", "a: [", "#" * 300_000]
)
def test_what_is_no_configuration_is_an_error(config: str) -> None:
    """An answer that cannot be read is neither told nor not told."""
    with pytest.raises(ValueError, match="expected"):
        persons(config)


class Alertmanager:
    """Answers like Alertmanager's status, and counts how often it was asked."""

    def __init__(self, config: str | None, status: int = 200) -> None:
        """Answer ``config`` with ``status``; None: no connection."""
        self.config, self.status, self.asked = config, status, 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        assert request.url.path == "/api/v2/status"
        self.asked += 1
        if self.config is None:
            raise httpx.ConnectError("refused")
        return httpx.Response(self.status, json={"config": {"original": self.config}})

    def audience(self, clock: Clock) -> Audience:
        """Answer an audience that asks this one."""
        return Audience(httpx.AsyncClient(transport=httpx.MockTransport(self)), "http://am:9093/", clock=clock)


@pytest.mark.parametrize(
    ("config", "status", "somebody", "says"),
    [
        (INBOX_ONLY, 200, False, "nobody is told"),
        (WITH_SLACK, 200, True, "told: unused"),
        (None, 200, None, "unknown: Alertmanager does not answer"),
        (INBOX_ONLY, 503, None, "unknown: Alertmanager does not answer"),
        ("[", 200, None, "unknown: Alertmanager's answer could not be read"),
    ],
)
async def test_what_is_said(config: str | None, status: int, somebody: bool | None, says: str) -> None:
    """Told, not told, or not known: never an exception."""
    told = await Alertmanager(config, status).audience(Clock()).told()
    assert (told.somebody, told.says) == (somebody, says)


async def test_the_answer_is_kept_for_half_a_minute() -> None:
    """A page loaded again and again asks once; half a minute later it asks anew."""
    clock, alertmanager = Clock(), Alertmanager(INBOX_ONLY)
    audience = alertmanager.audience(clock)
    for _ in range(3):
        assert (await audience.told()).somebody is False
    assert alertmanager.asked == 1
    alertmanager.config = WITH_SLACK
    clock.now += 31
    assert (await audience.told()).somebody is True


async def test_without_an_address_nobody_is_asked() -> None:
    """An empty address is no question, and says which setting is missing."""
    told = await Audience(httpx.AsyncClient(), "").told()
    assert (told.somebody, "EDDIE_ALERTMANAGER_URL" in told.says) == (None, True)


async def test_not_known_is_not_kept_for_long() -> None:
    """An Alertmanager that came up five seconds ago is asked."""
    clock, alertmanager = Clock(), Alertmanager(None)
    audience = alertmanager.audience(clock)
    assert (await audience.told()).somebody is None
    alertmanager.config = WITH_SLACK
    assert (await audience.told()).somebody is None
    clock.now += 6
    assert (await audience.told()).somebody is True
