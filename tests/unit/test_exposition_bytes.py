"""Our renderer against the library's own, byte for byte, over whatever hypothesis makes up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from prometheus_client import CollectorRegistry
from prometheus_client import Metric as Exposed
from prometheus_client.exposition import generate_latest as text_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics_latest
from prometheus_client.registry import Collector
from tests.support.collectors import START, Clock, collector_at

from eddie_exporter import lines, samples
from eddie_exporter.catalogue import CATALOGUE, MICRO, Metric
from eddie_exporter.exposition import OPENMETRICS, TEXT, render
from eddie_exporter.metrics import MetricsCollector
from eddie_exporter.samples import FamilyCopy
from eddie_exporter.store import Budget, Distribution, Family

ODD = Metric("odd_total", "counter", ("b", "a"), 'A "help" with \\ and\na second line, 100 % of it.')
SHAPES = (
    *(one for one in CATALOGUE if one.name != "eddie_collection_seconds"),
    ODD,
    Metric("bare_seconds", "histogram", (), "No labels.", unit=MICRO),
    Metric("both_before_seconds", "histogram", ("kind", "agent_id"), "Both labels before le.", unit=MICRO),
    Metric("both_after_seconds", "histogram", ("stage", "reason"), "Both labels after le.", unit=MICRO),
)
BOUNDS = tuple(round(bound * MICRO) for bound in (0.5, 2.5, 10, 999_999, 1_000_000, 31_536_000))
EDGES = [0, 1, 999_999, 1_000_000, 1_000_001, 10_000_000, 2**53, 2**53 + 1, 10**15, 10**16, 123 * 10**17]

label_values = st.text(
    st.sampled_from('a%s{}",=\\\n#\r\t\x00é𝕏 ') | st.characters(exclude_categories=["Cs"]), max_size=8
)
whole = st.sampled_from(EDGES) | st.integers(0, 2_000_000) | st.integers(0, 10**20)
gauges = whole | st.floats() | st.booleans() | st.integers(-(10**9), -1)
created = st.sampled_from([0.0, START - 30, START, 1.5, 999_999.5, 1e6, 1e16]) | st.floats(0, START)


class _Given(Collector):
    """Hands over what it was given."""

    def __init__(self, families: Iterator[Exposed]) -> None:
        self._families = families

    def collect(self) -> Iterator[Exposed]:
        return self._families


def reference(families: Iterator[Exposed], *, openmetrics: bool) -> bytes:
    """Answer what prometheus_client makes of these families."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Given(families))
    made = openmetrics_latest(registry) if openmetrics else text_latest(registry)
    assert isinstance(made, bytes)
    return made


@st.composite
def families(draw: Callable[[st.SearchStrategy[object]], object]) -> FamilyCopy:
    """Make up a family of some shape with some children, or none."""
    metric = draw(st.sampled_from(SHAPES))
    assert isinstance(metric, Metric)
    bounds = BOUNDS if metric.kind == "histogram" else ()
    family = Family(metric, Budget(10**9, START), max_agents=10**6, bounds=bounds)
    labels = st.tuples(*[label_values] * len(metric.labels))
    for values in draw(st.lists(labels, max_size=4, unique=True)):  # type: ignore[attr-defined]
        child = family.make(values, draw(created))  # type: ignore[arg-type]
        child.value = draw(gauges if metric.kind == "gauge" else whole)  # type: ignore[assignment]
        if isinstance(child, Distribution):
            child.counts = draw(st.lists(whole, min_size=len(bounds) + 1, max_size=len(bounds) + 1))  # type: ignore[assignment]
        if draw(st.booleans() | st.just(True)):
            child.show()
    return samples.copy(family, START)


def ours(copies: Sequence[FamilyCopy], *, openmetrics: bool) -> bytes:
    """Answer what we make of them."""
    return b"".join(lines.pieces(copies, openmetrics=openmetrics))


def theirs(copies: Sequence[FamilyCopy], *, openmetrics: bool) -> bytes:
    """Answer what the library makes of the same."""
    return reference((samples.expose(one, openmetrics=openmetrics) for one in copies), openmetrics=openmetrics)


@pytest.mark.parametrize("openmetrics", [False, True])
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(copies=st.lists(families(), max_size=3))
def test_the_bytes_are_the_librarys(copies: list[FamilyCopy], *, openmetrics: bool) -> None:
    """Odd labels, exponents, infinities, empty families: not a byte is another, at the first scrape and the second."""
    for _ in range(2):
        assert ours(copies, openmetrics=openmetrics) == theirs(copies, openmetrics=openmetrics)


Break = Callable[[pytest.MonkeyPatch], None]


def _no_exponent(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lines, "PLAIN", 10**9)


def _unescaped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lines, "_escaped", lambda text, *, quotes: text)  # noqa: ARG005


def _unsorted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lines, "sorted", list, raising=False)


def _whole_sums(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lines, "number", lambda value: f"{value:.1f}")


def _not_summed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lines, "accumulate", list)


@pytest.mark.parametrize("break_it", [_no_exponent, _unescaped, _unsorted, _whole_sums, _not_summed])
def test_a_broken_renderer_is_caught(break_it: Break, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same search finds a family that gives each of these mistakes away."""
    break_it(monkeypatch)
    try:
        find(
            families(),
            lambda one: ours([one], openmetrics=True) != theirs([one], openmetrics=True),
            settings=settings(max_examples=2000, deadline=None),
        )
    except NoSuchExample:
        pytest.fail("no family showed the mistake")


def fleet(agents: int) -> MetricsCollector:
    """Answer a collector that counted so many agents, each with something of its own."""
    collector = collector_at(Clock(), max_samples=1_000_000)
    for number in range(agents):
        collector.record_chunk_execution(agent_id=f"𝕏-{number}", seconds=number / 7, cost_usd=number / 3)
        collector.record_timeout(agent_id=f"𝕏-{number}", reason='dead"line')
    return collector


@pytest.mark.parametrize("fmt", [TEXT, OPENMETRICS])
def test_pieces_lose_nothing_where_they_meet(fmt: object) -> None:
    """A fleet's exposition comes in many pieces and is still the library's."""
    assert fmt in (TEXT, OPENMETRICS)
    openmetrics = fmt is OPENMETRICS
    collector = fleet(400)
    with collector.lock:
        copies = collector.copies()
    assert len(list(lines.pieces(copies, openmetrics=openmetrics))) > 5
    assert ours(copies, openmetrics=openmetrics) == theirs(copies, openmetrics=openmetrics)
    told = render(collector, OPENMETRICS if openmetrics else TEXT)
    assert told.endswith(b"# EOF\n") is openmetrics


def test_what_is_counted_while_a_scrape_is_written_waits_for_the_next() -> None:
    """A scrape is one moment: its families agree with each other however long it takes to write them."""
    collector = fleet(400)
    with collector.lock:
        copies = collector.copies()
    before = ours(copies, openmetrics=True)
    pieces = lines.pieces(copies, openmetrics=True)
    got = [next(pieces)]
    for number in range(400):
        collector.record_chunk_execution(agent_id=f"𝕏-{number}", seconds=1)
    got += list(pieces)
    assert b"".join(got) == before
    assert render(collector, OPENMETRICS) != before


def test_a_histogram_whose_labels_stand_on_both_sides_of_le_is_refused() -> None:
    """The catalogue has none; one that is added is told to its author, not rendered in another order."""
    metric = Metric("split_seconds", "histogram", ("agent_id", "stage"), "Both sides.")
    copy = FamilyCopy(metric, BOUNDS, [], [])
    with pytest.raises(ValueError, match="split_seconds"):
        ours([copy], openmetrics=True)
