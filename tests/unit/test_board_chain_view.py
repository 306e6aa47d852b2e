"""The board's top as elements: whatever an event brings is text, and only changes of alerts are told aloud."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from nicegui import Client
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement
from nicegui.page import page

from eddie_board import alerts_view
from eddie_board.alerts import Firing, from_alertmanager
from eddie_board.chain import Alerts, ChainState, Tile
from eddie_board.chain_view import ChainStrip
from eddie_board.draw.fields import Field
from eddie_board.links import Link
from eddie_board.objectives import Indicator

NOW = 1_800_000_000.0
HOSTILE = "<img src=x onerror=alert(1)>'\"{{7*7}}" + "𝕏" * 40
RUNBOOK = "http://exporter.example:8503/runbook#a"
PANEL = "http://grafana.example:3000/d/eddie-distributed-fallback?viewPanel=5"

INDICATOR = Indicator("job:x:y", "Share", "job:x:y", Field("share", "percentunit"), 0.95, "above", "/d/u?viewPanel=5")
STATE = ChainState(
    NOW,
    (
        Link("Exporter", "unknown", "not known while Prometheus does not answer", NOW - 90, "seen"),
        Link("Prometheus", "down", "does not answer", NOW - 90, "seen"),
        Link("Alertmanager", "up", "answers", NOW - 3600),
        Link("Docker watcher", "off", "no Docker Engine seen"),
    ),
    (Tile(INDICATOR, 0.99, "met", NOW),),
    Alerts(),
)


def firing(*names: str, page: bool = False, **labels: str) -> Alerts:
    """Make alerts of these names, all with the same further labels, as Alertmanager tells them."""
    listed = [
        {
            "labels": {"alertname": name, **labels},
            "annotations": {"summary": HOSTILE, "runbook_url": RUNBOOK, "panel_url": PANEL},
            "startsAt": "2027-01-15T07:59:00Z",
        }
        for name in names
    ]
    return Alerts(from_alertmanager(listed, ("eddie-distributed-fallback",)), "Alertmanager", NOW, page=page)


class Shown:
    """A page that nobody has opened, with the strip on it."""

    def __init__(self, client: Client) -> None:
        self.client, self.strip = client, ChainStrip("http://am.example:9093")
        with client:
            self.strip.build()

    def show(self, alerts: Alerts = STATE.alerts, **changed: object) -> None:
        """Refresh with the usual state, these alerts and what else is changed."""
        with self.client:
            self.strip.refresh(replace(STATE, alerts=alerts, **changed), NOW)  # type: ignore[arg-type]

    def all(self, tag: str) -> list[Element]:
        """Answer the elements of a tag."""
        return [one for one in self.client.elements.values() if one.tag == tag]

    def texts(self) -> list[str]:
        """Answer every text on the page."""
        return [one.text for one in self.client.elements.values() if isinstance(one, TextElement) and one.text]

    def links(self) -> dict[str, str]:
        """Answer where the links lead, by their texts."""
        return {one.text: one.props["href"] for one in self.all("a") if isinstance(one, TextElement)}

    def news(self) -> str:
        """Answer what was told aloud last."""
        live = [one for one in self.client.elements.values() if one.props.get("aria-live")]
        assert [one.props["aria-live"] for one in live] == ["polite"]
        assert isinstance(live[0], TextElement)
        return str(live[0].text)


@pytest.fixture
async def shown() -> AsyncIterator[Shown]:
    """Give a strip on a page."""
    client = Client(page(""), request=None)
    try:
        yield Shown(client)
    finally:
        client.delete()


async def test_each_state_has_words_and_a_mark(shown: Shown) -> None:
    """Nobody has to tell green from red: four links, four shapes, and sentences beside them."""
    shown.show()
    items = [one for one in shown.all("li") if "data-link" in one.props]
    assert [one.props["data-state"] for one in items] == ["unknown", "down", "up", "off"]
    texts = shown.texts()
    assert {"?", "▲", "●", "○"} <= set(texts)
    assert {"does not answer", "last seen 1 min ago", "answers", "for 60 min", "no Docker Engine seen"} <= set(texts)
    assert {"99%", "objective: above 95%", "objective met"} <= set(texts)
    assert shown.links()["Share"] == "/d/u?viewPanel=5"


async def test_before_anybody_answered_nothing_is_well(shown: Shown) -> None:
    """The page that is sent first says that it does not know."""
    items = [one for one in shown.all("li") if "data-link" in one.props]
    assert {one.props["data-state"] for one in items} == {"unknown"}
    assert "Not asked yet." in shown.texts()


async def test_a_hostile_name_is_text(shown: Shown) -> None:
    """It stands in labels, summary and the line for a shell, and in no markup: no element has a markup property."""
    shown.show(firing("A", agent_id=HOSTILE))
    assert f"agent_id={HOSTILE}" in shown.texts()
    assert HOSTILE in shown.texts()
    assert not [one for one in shown.client.elements.values() if "innerHTML" in one.props or one.tag == "nicegui-html"]
    assert [one for one in shown.all("code") if isinstance(one, TextElement) and "<img" in one.text]


async def test_an_alert_says_what_to_do(shown: Shown) -> None:
    """Runbook, its panel on this board, and a form for a silence where Alertmanager has one."""
    shown.show(firing("A", page=True))
    links = shown.links()
    assert links["Runbook"] == RUNBOOK
    assert links["Panel"] == "/d/eddie-distributed-fallback?viewPanel=5"
    assert links["Silence"] == "http://am.example:9093/#/silences/new?filter=%7Balertname%3D%22A%22%7D"
    assert not shown.all("code")
    outside = [one for one in shown.all("a") if one.props["href"].startswith("http")]
    assert {one.props["rel"] for one in outside} == {"noopener noreferrer"}


async def test_without_a_page_of_alertmanagers_the_line_is_shown(shown: Shown) -> None:
    """A distribution's build has no form to link to."""
    shown.show(firing("A"))
    assert "Silence" not in shown.links()
    (line,) = shown.all("code")
    assert isinstance(line, TextElement)
    assert line.text.startswith("amtool silence add --alertmanager.url=http://am.example:9093 ")


async def test_only_changes_of_alerts_are_told_aloud(shown: Shown) -> None:
    """The first list is read with the page; the same list says nothing; what comes and goes is said."""
    shown.show(firing("A"))
    shown.show(firing("A"))
    assert shown.news() == ""
    shown.show(firing("B"))
    assert shown.news().startswith("New alert: B, no severity.")
    assert shown.news().endswith("Over: A.")


async def test_a_list_that_stays_is_not_made_anew(shown: Shown) -> None:
    """What the reader opened stays open: the elements are the same ones after a refresh."""
    shown.show(firing("A"))
    before = {one.id for one in shown.all("li")}
    shown.show(firing("A"), tiles=(replace(STATE.tiles[0], value=0.5, judgement="broken"),))
    assert {one.id for one in shown.all("li")} == before
    assert {"50%", "objective not met"} <= set(shown.texts())


async def test_thousands_of_alerts_are_counted_and_some_shown(shown: Shown) -> None:
    """Memory of fifty pages does not grow with what a broken rule makes."""
    shown.show(firing(*(f"A{number}" for number in range(3000))))
    assert len([one for one in shown.all("li") if "data-alert" in one.props]) == alerts_view.MOST
    assert "… and 2950 more; Alertmanager lists them all" in shown.texts()
    assert "3000 alerts fire." in shown.texts()


async def test_what_is_held_back_stands_apart_with_the_reason(shown: Shown) -> None:
    """A silenced alert is neither hidden nor among those that people are told of."""
    alerts = firing("A")
    quiet = replace(alerts.firing.told[0], held="silenced")
    shown.show(replace(alerts, firing=Firing(held=(quiet,), watchdog=NOW - 60)))
    assert {"No alert fires, 1 silenced.", "silenced", "1 held back: nobody is told of them now"} <= set(shown.texts())
