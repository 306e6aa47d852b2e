"""One class per boundary; each docstring says what the operator, or the reader of the page, should do."""

from __future__ import annotations

from typing import Literal

Kind = Literal["down", "slow", "restarting", "refused", "too-much", "odd"]
"""What is wrong with Prometheus: nobody listens; no answer in time; 503; the query is wrong; too many samples; else."""


class BoardError(Exception):
    """Something this board cannot do, and says why; catch this to catch them all."""


class SettingsError(BoardError):
    """The settings cannot be used: mend every mistake listed (all are listed together) and start again."""

    def __init__(self, mistakes: list[str]) -> None:
        """Take one sentence per mistake."""
        super().__init__("; ".join(mistakes))
        self.mistakes = mistakes


class DashboardError(BoardError):
    """A dashboard's file cannot be read: mend the file that is named; the other dashboards are shown meanwhile."""


class ViewError(BoardError):
    """An address asks for what this page does not have: correct what the sentence names; its default is shown."""


class PrometheusError(BoardError):
    """Prometheus gave no answer that can be shown: see to it; the page asks again by itself.

    ``kind`` says what is wrong in one word, the text in one sentence that names who and what.
    """

    def __init__(self, kind: Kind, sentence: str) -> None:
        """Take the kind of fault, and the sentence for the page."""
        super().__init__(sentence)
        self.kind = kind


class AlertmanagerError(BoardError):
    """Alertmanager gave no answer that can be shown: see to it; the page asks again by itself."""
