"""Top of the page: the alerts that fire, each with what to do about it; every text is set as text, never as markup."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from eddie_board import chain_words as words
from eddie_board import silence
from eddie_board.alerts import Alert, Held
from eddie_board.chain import Alerts

MOST = 50
"""Alerts that are shown; the others are counted. Nobody reads more, and fifty pages of thousands would be memory."""

COPY = """(event) => {
  const line = event.currentTarget.parentElement.querySelector("code");
  const said = event.currentTarget.parentElement.querySelector("[role=status]");
  const choose = () => { getSelection().selectAllChildren(line); said.textContent = "selected: press Ctrl+C"; };
  if (!navigator.clipboard) return choose();
  navigator.clipboard.writeText(line.textContent).then(() => { said.textContent = "copied"; }, choose);
}"""
"""Copies what stands beside the button; a page that is not from this machine has no clipboard, so it selects."""

_REASONS: dict[Held, str] = {
    "": "",
    "silenced": "silenced",
    "inhibited": "held back by another alert",
    "muted": "muted",
}


class AlertList:
    """The alerts of one page; ``alertmanager`` is where people reach Alertmanager."""

    def __init__(self, alertmanager: str) -> None:
        """Take the address; nothing is shown before build()."""
        self._alertmanager = alertmanager
        self._shown: object = None
        self._told: tuple[Alert, ...] | None = None
        self._ages: list[tuple[TextElement, Alert]] = []

    def build(self) -> None:
        """Make the elements inside the current slot."""
        self._counts = TextElement(tag="p", text="Not asked yet.").classes("counts")
        self._proof = TextElement(tag="p", text="").classes("proof").props("data-watchdog=unknown")
        self._trouble = TextElement(tag="p", text="").classes("trouble")
        self._list = ui.element("ul").classes("alert-list")
        with ui.element("details").classes("held") as self._held:
            self._summary = TextElement(tag="summary", text="")
            self._held_list = ui.element("ul").classes("alert-list")
        self._held.set_visibility(False)
        # Polite, and only changes of alerts are written here: numbers and ages would talk all day.
        self._news = TextElement(tag="p", text="").classes("only-heard").props("aria-live=polite aria-atomic=true")

    def refresh(self, alerts: Alerts, now: float) -> None:
        """Show ``alerts``; the list is made anew only when it is another one."""
        self._counts.text = words.counts(alerts)
        self._proof.text = words.proof(alerts, now)
        there = "missing" if alerts.firing.watchdog is None else "there"
        watchdog = there if words.proven(alerts) else "unknown"
        if self._proof.props.get("data-watchdog") != watchdog:
            self._proof.props["data-watchdog"] = watchdog
            self._proof.update()
        self._trouble.text = words.trouble(alerts, now)
        shown = (alerts.firing.told, alerts.firing.held, alerts.page)
        if shown != self._shown:
            self._shown = shown
            self._ages = []
            self._fill(self._list, alerts.firing.told, alerts.page)
            self._fill(self._held_list, alerts.firing.held, alerts.page)
            self._summary.text = f"{len(alerts.firing.held)} held back: nobody is told of them now"
            self._held.set_visibility(bool(alerts.firing.held))
        for element, alert in self._ages:
            element.text = f"for {words.span(now - alert.since)}"
        self._tell(alerts)

    def _tell(self, alerts: Alerts) -> None:
        if not alerts.source:
            return
        if self._told is not None and (news := words.changes(self._told, alerts.firing.told)):
            self._news.text = news
        self._told = alerts.firing.told

    def _fill(self, into: ui.element, alerts: Sequence[Alert], page: bool) -> None:
        into.clear()
        with into:
            for alert in alerts[:MOST]:
                self._item(alert, page)
            if len(alerts) > MOST:
                TextElement(tag="li", text=f"… and {len(alerts) - MOST} more; Alertmanager lists them all")

    def _item(self, alert: Alert, page: bool) -> None:
        with ui.element("li").classes("alert") as item:
            item.props["data-alert"] = alert.name
            item.props["data-severity"] = alert.severity
            with ui.element("p").classes("alert-head"):
                mark = words.MARKS.get(alert.severity, words.OTHER)
                TextElement(tag="span", text=mark).classes("mark").props("aria-hidden=true")
                TextElement(tag="span", text=alert.severity).classes("severity")
                age = TextElement(tag="time", text="").classes("age")
                age.props["title"] = words.moment(alert.since)
                self._ages.append((age, alert))
                if alert.held:
                    TextElement(tag="span", text=_REASONS[alert.held]).classes("held-by")
            TextElement(tag="h3", text=alert.name)
            if alert.summary:
                TextElement(tag="p", text=alert.summary).classes("summary")
            others = ((name, value) for name, value in alert.labels.items() if name not in ("alertname", "severity"))
            TextElement(tag="p", text=" · ".join(f"{name}={value}" for name, value in others)).classes("labels")
            self._ways(alert, page)
            for text in alert.unlinked:
                TextElement(tag="p", text=text).classes("unlinked")

    def _ways(self, alert: Alert, page: bool) -> None:
        form = silence.link(self._alertmanager, alert.labels) if page else None
        with ui.element("ul").classes("ways").props("aria-label='What to do'"):
            for text, address in (("Runbook", alert.runbook), ("Panel", alert.panel), ("Silence", form or "")):
                if address:
                    with ui.element("li"):
                        _link(text, address)
        if not form:
            with ui.element("details").classes("silence"):
                TextElement(tag="summary", text="Silence with amtool")
                with ui.element("div").classes("line"):
                    line = silence.line(self._alertmanager, alert.labels)
                    TextElement(tag="code", text=line).props("tabindex=0")
                    TextElement(tag="button", text="Copy").props("type=button").on("click", js_handler=COPY)
                    ui.element("span").props("role=status")


def _link(text: str, address: str) -> None:
    link = TextElement(tag="a", text=text)
    link.props["href"] = address
    if not address.startswith("/"):
        link.props["target"] = "_blank"
        link.props["rel"] = "noopener noreferrer"
