"""docs/cookbook.md: each query is run against a Prometheus that scraped a fleet, and gives data."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator
from pathlib import Path

import promql_parser
import pytest
from tests.support.alive import tell
from tests.support.eventually import eventually
from tests.support.programs import ROOT
from tests.support.stacks import native

from eddie_metrics.ids import uuid7
from fleet.web import ask
from rig.stack import Stack

PAGE = (ROOT / "docs/cookbook.md").read_text()
RECIPES = dict(re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?^```promql\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))


def odds(stack: Stack) -> None:
    """Tell what no good fleet tells: something twice, something late, drops, a lost task and lost batches."""
    twice = {"kind": "timeout", "agent_id": "a", "reason": "deadline", "id": uuid7()}
    late = {"kind": "timeout", "agent_id": "a", "reason": "deadline", "ts": time.time() - 3600}
    gone = {"kind": "task-started", "task_id": "gone", "agent_id": "a", "stage": "plan", "lease_seconds": 1}
    open_ = {"kind": "task-started", "task_id": "open", "agent_id": "a", "stage": "plan"}
    for event in (twice, twice, late, gone, open_):
        stack.post(json.dumps(event).encode())
    body = {"producer": "a", "epoch": 1024, "seq": 3, "events": [], "dropped": {"queue-full": 2}}
    headers = {"Content-Type": "application/json", "Eddie-Oldest": "3"}
    assert ask(f"{stack.urls['exporter']}/events", json.dumps(body).encode(), headers=headers).status == 202


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give an exporter and a Prometheus, to which a storm and some odd things were told."""
    store = tmp_path_factory.mktemp("store")  # without one, ids are not remembered
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDDIE_DATA_DIR", str(store))
        yield from told(tmp_path_factory.mktemp("cookbook"))


def told(folder: Path) -> Iterator[Stack]:
    """Run the two, tell them what there is to tell, and wait until it is scraped."""
    with native(folder, "exporter", "prometheus") as made:
        tell(made)
        odds(made)
        made.scraped(time.time())
        made.scraped(time.time())
        yield made


def numbers(stack: Stack, query: str) -> list[float]:
    """Return what a query gives now, without what is no number."""
    found = [float(one["value"][1]) for one in stack.prometheus("query", query=query)["result"]]
    return [one for one in found if not math.isnan(one)]


def test_the_page_has_its_queries() -> None:
    """Every section has exactly one query, and the page at least a dozen."""
    assert len(RECIPES) >= 12
    assert set(RECIPES) == set(re.findall(r"^## (.+)$", PAGE, re.MULTILINE))
    assert PAGE.count("```promql") == len(RECIPES)


@pytest.mark.parametrize("title", RECIPES)
def test_query_gives_data(title: str, stack: Stack) -> None:
    """Asked of a fleet in a storm, it gives at least one number, and no error."""

    def given() -> None:
        assert numbers(stack, RECIPES[title])

    eventually(given, within=20, every=0.5)


@pytest.mark.parametrize(
    "title", ["Retries that were recognised", "How much came late", "Work that was never heard of again"]
)
def test_what_happened_is_more_than_nothing(title: str, stack: Stack) -> None:
    """Where the fleet's own story would give zeros, what was told beside it is seen."""

    def seen() -> None:
        assert max(numbers(stack, RECIPES[title])) > 0

    eventually(seen, within=20, every=0.5)


def test_shares_are_shares(stack: Stack) -> None:
    """What is called a share lies between 0 and 1: numerator and denominator are of the same things."""
    for title in ("How many tasks succeed, by stage", "How many tasks take longer than a minute", "Merge efficiency"):
        assert all(-1e-9 <= one <= 1 + 1e-9 for one in numbers(stack, RECIPES[title])), title


def test_a_wrong_name_gives_no_data(stack: Stack) -> None:
    """Negative twin: a query of a metric that nobody makes is noticed."""
    wrong = RECIPES["Timeouts by reason"].replace("timeout_events_total", "timeouts_total")
    assert numbers(stack, wrong) == []


@pytest.mark.parametrize("title", RECIPES)
def test_query_is_of_the_exporters_job(title: str) -> None:
    """Each selector names the job, so that another program's metric of that name changes nothing."""
    promql_parser.parse(RECIPES[title])
    selectors = re.findall(r"\{([^}]*)\}", RECIPES[title])
    assert selectors
    assert all('job="eddie-metrics"' in one for one in selectors)
