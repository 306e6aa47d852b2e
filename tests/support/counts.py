"""The end of a test run: how many tests passed and how many were skipped, with the reasons, before pytest's last line.

A plugin for tests/conftest.py. A skipped test is a promise that was not checked: nobody should have to scroll for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest


def lines(passed: int, reasons: Iterable[str]) -> list[str]:
    """Return the lines to print: one of counts, then each reason of a skip with its number, the most frequent first."""
    grouped = Counter(reasons)
    head = f"{passed} passed, {grouped.total()} skipped{', because of:' if grouped else ': nothing was left out'}"
    return [head, *(f"  {number:3} × {reason}" for reason, number in grouped.most_common())]


def reason_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return why a test was skipped, in the words of its skip."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the counts after everything else that pytest and its plugins say."""
    stats = terminalreporter.stats
    passed = len(stats.get("passed", []))
    terminalreporter.section("what was checked, what was not", sep="-")
    for line in lines(passed, map(reason_of, stats.get("skipped", []))):
        terminalreporter.write_line(line)
