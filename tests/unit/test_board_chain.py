"""The board's top: what is away is said, and nothing that nobody vouches for is called good."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.scenes import DASHBOARD, NOW, Answers, Scene, Telling, one

from eddie_board import chain_words as words
from eddie_board.alerts import from_alertmanager
from eddie_board.chain import Chain


async def test_all_is_well() -> None:
    """Four answer, each since it began to, and objectives are met."""
    state = await Scene().look()
    assert [(link.name, link.state) for link in state.links] == [
        ("Exporter", "up"),
        ("Prometheus", "up"),
        ("Alertmanager", "up"),
        ("Docker watcher", "up"),
    ]
    assert [words.age(link, NOW) for link in state.links] == ["for 60 min", "for 60 min", "for 1 min", "for 60 min"]
    assert [tile.judgement for tile in state.tiles] == ["met", "met"]


async def test_the_exporter_is_not_known_while_prometheus_is_away() -> None:
    """Whoever cannot be asked about is never green; when it was last seen is said."""
    scene = Scene()
    await scene.look()
    scene.prometheus.away = True
    found = await scene.links(later=90)
    assert (found["Exporter"].state, found["Docker watcher"].state) == ("unknown", "unknown")
    assert words.age(found["Exporter"], scene.now) == "last seen 1 min ago"
    assert (found["Prometheus"].state, words.age(found["Prometheus"], scene.now)) == ("down", "last seen 1 min ago")
    assert found["Alertmanager"].state == "up"


async def test_prometheus_never_seen_has_no_age_of_its_own() -> None:
    """A board that started during the outage knows only how long it has looked itself."""
    scene = Scene()
    scene.prometheus.away = True
    found = await scene.links(later=600)
    assert "not once since the board started" in found["Prometheus"].says
    assert words.age(found["Prometheus"], scene.now) == "for 10 min"
    assert words.age(found["Exporter"], scene.now) == ""


async def test_an_exporter_that_does_not_answer_takes_the_praise_from_its_numbers() -> None:
    """An objective met by what was counted before is not called met; one that is broken stays broken."""
    scene = Scene()
    scene.say({'sum(up{job="eddie': 0, "job:count": 7})
    state = await scene.look()
    assert state.links[0].state == "down"
    assert state.links[3].state == "unknown"
    assert [tile.judgement for tile in state.tiles] == ["unsure", "broken"]
    assert "not every exporter answers" in words.verdict(state.tiles[0], scene.now)


async def test_no_exporter_at_all_is_down() -> None:
    """An empty list of targets is no quiet fleet."""
    scene = Scene()
    scene.prometheus.numbers = {}
    found = await scene.links()
    assert (found["Exporter"].state, found["Exporter"].says) == ("down", "Prometheus knows no exporter to scrape")


async def test_some_exporters_are_not_all() -> None:
    """Two of three is not well, and says how many."""
    scene = Scene()
    scene.say({"count(up{": 3, "sum(up{": 2})
    found = await scene.links()
    assert (found["Exporter"].state, found["Exporter"].says) == ("down", "2 of 3 answer")
    assert found["Docker watcher"].state == "up"


@pytest.mark.parametrize(
    ("numbers", "state"),
    [
        ({"max(max_over_time(eddie_docker_up": 1.0, "count(eddie_docker_up": 1.0, "sum(eddie_docker_up": 0.0}, "down"),
        ({"max(max_over_time(eddie_docker_up": 0.0, "count(eddie_docker_up": 1.0, "sum(eddie_docker_up": 0.0}, "off"),
        ({"max(max_over_time(eddie_docker_up": 0.0, "count(eddie_docker_up": 0.0}, "off"),
    ],
)
async def test_a_watcher_that_never_saw_docker_is_off_and_not_down(numbers: dict[str, float], state: str) -> None:
    """Without Docker there is nothing that broke; an engine that was there and went is."""
    scene = Scene()
    scene.say(numbers)
    assert (await scene.links())["Docker watcher"].state == state


async def test_an_hour_without_data_is_not_green() -> None:
    """No number is no judgement, and a zero among nothing but dashes is none either."""
    scene = Scene()
    del scene.prometheus.numbers["job:share"]
    scene.say({"job:count": 0})
    state = await scene.look()
    assert [tile.judgement for tile in state.tiles] == ["none", "none"]
    assert words.verdict(state.tiles[0], NOW) == "no data in the last hour"


async def test_a_zero_beside_other_numbers_is_good() -> None:
    """No timeouts in an hour of work is a success."""
    scene = Scene()
    scene.say({"job:count": 0})
    assert [tile.judgement for tile in (await scene.look()).tiles] == ["met", "met"]


@pytest.mark.parametrize(("share", "count"), [(0.9, 5), (0.5, 9), (float("nan"), 5)])
async def test_what_lies_on_the_objective_does_not_meet_it(share: float, count: float) -> None:
    """Above is above, below is below; NaN is no number."""
    scene = Scene()
    scene.say({"job:share": share, "job:count": count})
    judged = [tile.judgement for tile in (await scene.look()).tiles]
    assert judged == ["none" if share != share else "broken", "broken"]  # noqa: PLR0124


async def test_numbers_of_before_keep_their_age_and_lose_their_judgement() -> None:
    """Prometheus away: the number stays to be read, with when it was true."""
    scene = Scene()
    await scene.look()
    scene.prometheus.away = True
    tile = (await scene.look(later=120)).tiles[0]
    assert (tile.value, tile.judgement) == (0.99, "unsure")
    assert words.verdict(tile, scene.now) == "not known, number of 2 min ago: Prometheus does not answer"
    scene.prometheus.away = False
    assert (await scene.look(later=20)).tiles[0].judgement == "met"


async def test_prometheus_is_asked_for_alerts_while_alertmanager_is_away() -> None:
    """Said as such: what is silenced, and whether anybody is told, is then not known."""
    scene = Scene()
    scene.alertmanager.away = True
    scene.prometheus.alerts = [one("A"), one("Watchdog")]
    alerts = (await scene.look()).alerts
    assert ([found.name for found in alerts.firing.told], alerts.source) == (["A"], "Prometheus")
    assert words.trouble(alerts, NOW) == (
        "Alertmanager does not answer. Prometheus was asked instead; what is silenced is not known."
    )
    assert words.proof(alerts, NOW) == "Whether alerting works is not known."


async def test_the_last_alerts_stay_with_their_age_when_nobody_answers() -> None:
    """The picture is kept, and proves nothing."""
    scene = Scene()
    scene.alertmanager.alerts = [one("A"), one("Watchdog")]
    alerts = (await scene.look()).alerts
    assert words.proof(alerts, NOW).startswith("Alerting works")
    scene.alertmanager.away = scene.prometheus.away = True
    alerts = (await scene.look(later=300)).alerts
    assert [found.name for found in alerts.firing.told] == ["A"]
    assert words.trouble(alerts, scene.now).endswith("This is what Alertmanager said 5 min ago.")
    assert words.proof(alerts, scene.now) == "Whether alerting works is not known."


async def test_a_watchdog_proves_nothing_while_prometheus_is_away() -> None:
    """Alertmanager keeps it for minutes; meanwhile nothing new can fire, and "no alert" is no good news."""
    scene = Scene()
    scene.alertmanager.alerts = [one("Watchdog")]
    scene.prometheus.away = True
    alerts = (await scene.look()).alerts
    assert words.counts(alerts) == "No alert is known to fire."
    assert words.proof(alerts, NOW) == "Whether alerting works is not known."
    assert words.trouble(alerts, NOW) == "Prometheus does not answer: what has begun since then is not known."


async def test_a_missing_watchdog_is_said() -> None:
    """Alertmanager answers, nothing fires, and no Watchdog: that quiet is not to be trusted."""
    alerts = (await Scene().look()).alerts
    assert words.counts(alerts) == "No alert fires."
    assert words.proof(alerts, NOW).startswith("The Watchdog is missing")


async def test_nobody_ever_answered() -> None:
    """Nothing known is not "no alert fires"."""
    scene = Scene()
    scene.alertmanager.away = scene.prometheus.away = True
    alerts = (await scene.look()).alerts
    assert words.counts(alerts).startswith("Not known")
    assert words.proof(alerts, NOW) == ""


async def test_fifty_viewers_ask_once() -> None:
    """Who looks within one scrape gets the same state, and Prometheus one round of questions."""
    prometheus = Answers()
    chain = Chain(prometheus, Telling(), lambda: [DASHBOARD], 15, clock=lambda: NOW)
    states = await asyncio.gather(*(chain.state() for _ in range(50)))
    assert all(state is states[0] for state in states)
    alone = Answers()
    await Chain(alone, Telling(), lambda: [DASHBOARD], 15, clock=lambda: NOW).state()
    assert prometheus.asked == alone.asked


async def test_who_leaves_does_not_end_the_look_of_the_others() -> None:
    """The first page closes while everybody waits for what it asked."""
    prometheus = Answers()
    chain = Chain(prometheus, Telling(), lambda: [DASHBOARD], 15, clock=lambda: NOW)
    first, second = asyncio.create_task(chain.state()), asyncio.create_task(chain.state())
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).at == NOW
    asked = prometheus.asked
    await chain.state()
    assert prometheus.asked == asked
    assert first.cancelled()


async def test_alertmanagers_outage_is_as_old_as_prometheus_knows() -> None:
    """A board that nobody looked at all night still says since when; not from before Prometheus's own start."""
    scene = Scene()
    scene.alertmanager.away = True
    away = {'sum(up{job="alertmanager"': 0.0, 'count(up{job="alertmanager"': 1.0}
    scene.say({'over_time(timestamp(min(up{job="alertmanager"': NOW - 1200, **away})
    found = (await scene.links())["Alertmanager"]
    assert (found.state, words.age(found, NOW)) == ("down", "for 20 min")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0 s"), (0.9, "0 s"), (59, "59 s"), (60, "1 min"), (7199, "119 min"), (7200, "2 h"), (172_800, "2 d")],
)
def test_lengths_are_short(seconds: float, text: str) -> None:
    """One unit, no decimals; a clock that runs ahead gives no negative age."""
    assert words.span(seconds) == text


def test_only_what_came_and_went_is_told_aloud() -> None:
    """A list that stays as it is says nothing to those who listen."""
    a, b = (from_alertmanager([one(name)], ()).told for name in ("A", "B"))
    assert words.changes(a, a) == ""
    assert words.changes(a, b) == "New alert: B, no severity. Over: A."
