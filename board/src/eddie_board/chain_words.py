"""Top of the page, its words: every state in a mark and in words, so that nobody has to see colours."""

from __future__ import annotations

from datetime import UTC, datetime

from eddie_board.alerts import Alert
from eddie_board.chain import Alerts, Tile
from eddie_board.links import Link

MARKS = {
    "up": "●", "down": "▲", "unknown": "?", "off": "○",
    "met": "●", "broken": "▲", "none": "○", "unsure": "?",
    "critical": "▲", "warning": "◆",
}  # fmt: skip
"""A shape for each state; severities that are not named have `OTHER`."""

OTHER = "■"

VERDICTS = {
    "met": "objective met",
    "broken": "objective not met",
    "none": "no data in the last hour",
    "unsure": "not known",
}

_STEPS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def span(seconds: float) -> str:
    """Write a length of time in its largest unit: `48 s`, `3 min`, `26 h`, `2 d`; two of a unit before it is used."""
    for length, name in _STEPS:
        if seconds >= 2 * length or (length == 60 and seconds >= 60):
            return f"{int(seconds // length)} {name}"
    return f"{max(0, int(seconds))} s"


def moment(at: float) -> str:
    """Write a time so that it is the same for everybody who reads it aloud."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def age(link: Link, now: float) -> str:
    """Say since when a link is so."""
    if link.at is None:
        return ""
    length = span(now - link.at)
    return {"since": f"for {length}", "longer": f"for more than {length}", "seen": f"last seen {length} ago"}[link.age]


def objective(tile: Tile) -> str:
    """Say what is wanted of an indicator."""
    return f"objective: {tile.indicator.good} {tile.indicator.text(tile.indicator.objective)}"


def value(tile: Tile) -> str:
    """Write the number of a tile; where there is none, a dash."""
    return "—" if tile.value is None else tile.indicator.text(tile.value)


def verdict(tile: Tile, now: float) -> str:
    """Say whether the objective is met, or why nobody can tell."""
    words = VERDICTS[tile.judgement]
    if tile.judgement != "unsure":
        return words
    if tile.value is not None and now - tile.at >= 1:
        words = f"{words}, number of {span(now - tile.at)} ago"
    return f"{words}: {tile.why}" if tile.why else words


def counts(alerts: Alerts) -> str:
    """Say in one sentence what fires."""
    if not alerts.source:
        return "Not known: nobody who knows the alerts has answered yet."
    firing, told = alerts.firing, len(alerts.firing.told)
    none = "No alert is known to fire" if alerts.fault else "No alert fires"
    parts = [f"{told} alert{'s fire' if told != 1 else ' fires'}" if told else none]
    if alerts.source == "Alertmanager":
        parts += [f"{firing.counted(why)} {why}" for why in ("silenced", "inhibited", "muted") if firing.counted(why)]
    if firing.twins:
        parts.append(f"{firing.twins} told by Grafana as well")
    return f"{', '.join(parts)}."


def proof(alerts: Alerts, now: float) -> str:
    """Say whether the Watchdog proves that alerts reach Alertmanager."""
    since = alerts.firing.watchdog
    if not alerts.source:
        return ""
    if not proven(alerts):
        return "Whether alerting works is not known."
    if since is None:
        return "The Watchdog is missing in Alertmanager: alerts may not arrive there. See whether Prometheus runs."
    return f"Alerting works: the Watchdog has been in Alertmanager for {span(now - since)}."


def proven(alerts: Alerts) -> bool:
    """Say whether all answer who carry the Watchdog, so that its presence or absence proves something."""
    return alerts.source == "Alertmanager" and not alerts.fault


def trouble(alerts: Alerts, now: float) -> str:
    """Say whom these alerts are from when it is not Alertmanager now; empty when it is."""
    if not alerts.fault:
        return ""
    if not alerts.source:
        return f"{alerts.fault}."
    if alerts.kept:
        return f"{alerts.fault}. This is what {alerts.source} said {span(now - alerts.at)} ago."
    if alerts.source == "Alertmanager":
        return f"{alerts.fault}."
    return f"{alerts.fault}. Prometheus was asked instead; what is silenced is not known."


def changes(before: tuple[Alert, ...], now: tuple[Alert, ...]) -> str:
    """Say what came and what went, for those who listen; empty when it is the same."""
    old, new = {one.key for one in before}, {one.key for one in now}
    came = [f"New alert: {one.name}, {one.severity}. {one.summary}".strip() for one in now if one.key not in old]
    went = [f"Over: {one.name}." for one in before if one.key not in new]
    return " ".join([*came, *went])
