"""How a chaos test ends: drain, scrape, compare; and what it prints when somebody runs it alone."""

from __future__ import annotations

from tests.support.chaos.ledger import Balance
from tests.support.chaos.reading import scrape, summary
from tests.support.chaos.senders import Fleet
from tests.support.chaos.watcher import Watcher


def balance(fleet: Fleet, *, sums: bool = False) -> Balance:
    """Drain, and compare the ledger with a scrape: series by series, or (``sums``) with what retired added."""
    fleet.drain()
    seen = scrape(fleet.port)
    return fleet.ledger.balance(seen, summary(fleet.port)["retired"] if sums else None)


def must_hold(fleet: Fleet, watcher: Watcher | None = None) -> None:
    """Fail unless I holds after the drain, J held all the time, and no answer surprised a sender."""
    found = balance(fleet)
    assert found.exact, str(found)
    assert fleet.ledger.surprises == []
    assert fleet.ledger.total() > 0, "expected a load, got none"
    if watcher is not None:
        watcher.look()
        assert watcher.violations == []
        assert watcher.scrapes > 0, "expected scrapes, got none"


def quantile(q: float, values: list[float]) -> float:
    """Answer the q-quantile of what was measured; 0.0 without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else 0.0
