"""Station *exposed*: a family becomes lines, byte for byte prometheus_client's, at about a twentieth of the cost.

A template a family holds all that its children's lines have in common; a child keeps the text of its labels and
of its creation time, which do not change. A scrape is then left with the numbers: the template itself writes
whole ones below a million, everything else is written by the library's own function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, chain
from typing import cast

from prometheus_client.utils import floatToGoString

from eddie_exporter.catalogue import Metric
from eddie_exporter.samples import Entry, FamilyCopy
from eddie_exporter.store import Child

PLAIN = 1_000_000
"""From here on the formats write numbers as Go does, with an exponent."""
PIECE = 16 * 1024
"""Characters made at a stretch, a tenth of a millisecond: who renders lets others in between pieces."""
STRETCH = 250
"""Lines of one family made at a stretch, as many as about fill a piece."""

Write = Callable[[Iterable[Entry]], str]


def number(value: float) -> str:
    """Answer a number as the library writes it."""
    # Below a million Go and Python agree, and there the library's function would only cost.
    return repr(float(value)) if 0 <= value < PLAIN else str(floatToGoString(value))


def pieces(families: Iterable[FamilyCopy], *, openmetrics: bool) -> Iterator[bytes]:
    """Yield the exposition of ``families``, some ``PIECE`` bytes at a time."""
    held: list[str] = []
    size = 0
    for text in chain.from_iterable(_texts(family, openmetrics=openmetrics) for family in families):
        held.append(text)
        size += len(text)
        if size >= PIECE:
            yield "".join(held).encode()
            held, size = [], 0
    yield ("".join(held) + ("# EOF\n" if openmetrics else "")).encode()


def _texts(family: FamilyCopy, *, openmetrics: bool) -> Iterator[str]:
    metric = family.metric
    name = metric.name if not openmetrics else _base(metric)
    yield f"# HELP {name} {_escaped(metric.help, quotes=openmetrics)}\n# TYPE {name} {metric.kind}\n"
    distributed = metric.kind in {"histogram", "summary"}
    write = (_distributions if distributed else _singles)(family, openmetrics=openmetrics)
    step = STRETCH // (len(family.bounds) + 4 if distributed else 2)
    for start in range(0, len(family.series), step):
        yield write(family.entries(start, start + step))


def _base(metric: Metric) -> str:
    """Answer the family's name in OpenMetrics, where a counter's has no ``_total``."""
    return metric.name.removesuffix("_total") if metric.kind == "counter" else metric.name


def _escaped(text: str, *, quotes: bool) -> str:
    text = text.replace("\\", r"\\").replace("\n", r"\n")
    return text.replace('"', r"\"") if quotes else text


def _keep(child: Child, names: tuple[str, ...]) -> tuple[str, str]:
    """Make what a child keeps: ``a="x",b="y"``, sorted by name as the library does, and its creation time."""
    pairs = sorted(zip(names, child.labels, strict=True))
    labels = ",".join(f'{name}="{_escaped(value, quotes=True)}"' for name, value in pairs)
    child.texts = kept = (labels, number(child.created))
    return kept


def _singles(family: FamilyCopy, *, openmetrics: bool) -> Write:
    """Answer what writes counters and gauges."""
    metric = family.metric
    names, unit, counter = metric.labels, metric.unit, metric.kind == "counter"
    opening, closing = ("{", "} ") if names else ("", " ")
    sample = (_base(metric) + "_total" if counter else metric.name) + opening
    born = f"{_base(metric)}_created{opening}"
    whole = counter and unit == 1

    def write(entries: Iterable[Entry]) -> str:
        out = []
        for child, shown in entries:
            if shown is None:
                continue
            labels, created = child.texts or _keep(child, names)
            value = cast("float", shown)
            told = f"{value}.0" if whole and value < PLAIN else number(value if unit == 1 else value / unit)
            line = f"{sample}{labels}{closing}{told}\n"
            out.append(f"{line}{born}{labels}{closing}{created}\n" if counter and openmetrics else line)
        return "".join(out)

    return write


def _template(family: FamilyCopy, whole: str, *, openmetrics: bool) -> str:
    """Answer all lines of one histogram or summary; before each number a place for the labels."""
    metric = family.metric
    name = metric.name
    before, after = "{%s,", "}"
    if not metric.labels:
        before = "{%s"
    elif min(metric.labels) > "le":
        before, after = "{", ",%s}"
    elif max(metric.labels) > "le":
        raise ValueError(f"{name}: expected labels that sort all before or all after le, got {metric.labels}")
    bounds = [number(bound / metric.unit) for bound in family.bounds] + ["+Inf"] if metric.kind == "histogram" else []
    labels = "{%s}" if metric.labels else "%s"
    lines = [f'{name}_bucket{before}le="{bound}"{after} {whole}\n' for bound in bounds]
    lines += [f"{name}_count{labels} {whole}\n", f"{name}_sum{labels} %s\n"]
    return "".join(lines) + (f"{name}_created{labels} %s\n" if openmetrics else "")


def _distributions(family: FamilyCopy, *, openmetrics: bool) -> Write:
    """Answer what writes histograms and summaries."""
    names, unit = family.metric.labels, family.metric.unit
    small = _template(family, "%d.0", openmetrics=openmetrics)
    large = _template(family, "%s", openmetrics=openmetrics)
    buckets = len(family.bounds) + 1 if family.metric.kind == "histogram" else 0
    columns = 2 * (buckets + (3 if openmetrics else 2))

    def write(entries: Iterable[Entry]) -> str:
        out = []
        for child, shown in entries:
            if shown is None:
                continue
            labels, created = child.texts or _keep(child, names)
            total, counts = cast("tuple[int, tuple[int, ...]]", shown)
            seen = [*accumulate(counts)]
            plain = seen[-1] < PLAIN
            told: list[int] | list[str] = seen if plain else [*map(number, seen)]
            row: list[int | str] = [labels] * columns
            row[1 : 2 * buckets : 2] = told if buckets else ()
            row[2 * buckets + 1] = told[-1]
            row[2 * buckets + 3] = number(total / unit)
            if openmetrics:
                row[-1] = created
            out.append((small if plain else large) % tuple(row))
        return "".join(out)

    return write
