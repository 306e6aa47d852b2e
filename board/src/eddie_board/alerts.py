"""Beside the data's way: the alerts that fire now, as Alertmanager tells them, or Prometheus while it is away."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit

Held = Literal["", "silenced", "inhibited", "muted"]

WATCHDOG = "Watchdog"
"""The alert that always fires, so that its absence says that alerting is broken; it is shown as that proof."""

SEVERITIES = ("critical", "warning", "info")
"""Worst first; others follow by their name."""

_ADDRESS = re.compile(r"https?://[^\s\x00-\x20]+", re.IGNORECASE)
_PANEL = re.compile(r"/d/(?P<uid>[\w-]+)(?:/[^/]*)?/?$")


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert that fires. ``since`` in seconds since the epoch; ``held`` says why nobody is told of it now.

    ``runbook`` and ``panel`` are addresses that are safe to be links, or empty; ``unlinked`` is what an annotation said
    instead of an address, to be shown as text.
    """

    key: str
    name: str
    severity: str
    since: float
    summary: str
    labels: Mapping[str, str] = field(hash=False)
    held: Held = ""
    runbook: str = ""
    panel: str = ""
    unlinked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Firing:
    """All that fires: what people are told of, what is held back, and since when the Watchdog is there (or None).

    ``twins`` counts the alerts that Grafana tells too, and that therefore stand here once.
    """

    told: tuple[Alert, ...] = ()
    held: tuple[Alert, ...] = ()
    twins: int = 0
    watchdog: float | None = None

    def counted(self, why: Held) -> int:
        """Say how many are held back for this reason."""
        return sum(one.held == why for one in self.held)


def address(text: str) -> str:
    """Answer ``text`` when it is an http(s) address with a host, else nothing: a link is never a script."""
    if not _ADDRESS.fullmatch(text):
        return ""
    try:
        return text if urlsplit(text).hostname else ""
    except ValueError:
        return ""


def on_board(link: str, dashboards: Collection[str]) -> str:
    """Answer the board's own path where ``link`` leads to a panel of a dashboard it shows, else ``link`` itself.

    Links in alerts name whoever shows panels on this machine, which is a Grafana when the board stands beside one.
    """
    parts = urlsplit(link)
    found = _PANEL.search(parts.path)
    if not found or found["uid"] not in dashboards:
        return link
    return f"/d/{found['uid']}" + (f"?{parts.query}" if parts.query else "")


def from_alertmanager(answer: Any, dashboards: Collection[str]) -> Firing:
    """Read ``GET /api/v2/alerts``. Raises ValueError for what is not that."""
    alerts = []
    for one in _dicts(answer):
        status = found if isinstance(found := one.get("status"), dict) else {}
        held: Held = (
            "silenced"
            if status.get("silencedBy")
            else "inhibited"
            if status.get("inhibitedBy")
            else "muted"
            if status.get("mutedBy")
            else ""
        )
        alerts.append(_alert(one, str(one.get("startsAt", "")), held, dashboards))
    return _sorted_out(alerts)


def from_prometheus(answer: Any, dashboards: Collection[str]) -> Firing:
    """Read ``data`` of ``GET /api/v1/alerts``; pending ones do not fire. Raises ValueError for what is not that."""
    listed = answer.get("alerts") if isinstance(answer, dict) else None
    firing = (one for one in _dicts(listed) if one.get("state") == "firing")
    return _sorted_out([_alert(one, str(one.get("activeAt", "")), "", dashboards) for one in firing])


def _dicts(answer: Any) -> list[dict[str, Any]]:
    if not isinstance(answer, list) or not all(isinstance(one, dict) for one in answer):
        raise ValueError(f"expected a list of alerts, got {str(answer)[:80]!r}")
    return answer


def _texts(found: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def _alert(one: dict[str, Any], since: str, held: Held, dashboards: Collection[str]) -> Alert:
    labels, notes = _texts(one.get("labels")), _texts(one.get("annotations"))
    said = {name: notes.get(name, "") for name in ("runbook_url", "panel_url")}
    links = {name: address(text) for name, text in said.items()}
    return Alert(
        key="\n".join(f"{name}={value!r}" for name, value in sorted(labels.items())),
        name=labels.get("alertname", "") or "alert without a name",
        severity=labels.get("severity", "") or "no severity",
        since=datetime.fromisoformat(since).timestamp(),
        summary=notes.get("summary") or notes.get("description") or notes.get("message") or "",
        labels=labels,
        held=held,
        runbook=links["runbook_url"],
        panel=links["panel_url"] and on_board(links["panel_url"], dashboards),
        unlinked=tuple(f"{name}: {text}" for name, text in said.items() if text and not links[name]),
    )


def _sorted_out(alerts: Iterable[Alert]) -> Firing:
    """Take the Watchdog out, and of an alert that two engines tell the one of Grafana; worst first, then newest."""
    found = list(alerts)
    proofs = [one.since for one in found if one.name == WATCHDOG]
    ours = [one for one in found if one.labels.get("origin") != "grafana"]
    names = {one.name for one in ours} | {_with_environment(one) for one in ours}
    shown = [one for one in found if one.name != WATCHDOG]
    once = [one for one in shown if one.labels.get("origin") != "grafana" or one.name not in names]
    once.sort(key=lambda one: (_rank(one.severity), one.severity, -one.since, one.key))
    return Firing(
        told=tuple(one for one in once if not one.held),
        held=tuple(one for one in once if one.held),
        twins=len(shown) - len(once),
        watchdog=min(proofs, default=None),
    )


def _with_environment(alert: Alert) -> str:
    """Write the name that a Grafana which serves several stacks gives its copy (alertmanager/parts/global.yml)."""
    return f"{alert.name} ({alert.labels.get('environment', '')})"


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)
