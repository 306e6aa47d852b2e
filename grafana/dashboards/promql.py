"""Station "panel": the few shapes every panel's PromQL takes, so that no panel can get the arithmetic wrong.

Counters are always ``sum(rate())``, quantiles always ``histogram_quantile`` over ``sum by (le, …)``, ratios never
divide by zero, and a variable stands only inside ``=~`` (design §8), where "All" is ``.*``.
"""

from __future__ import annotations

from typing import Literal

JOB = 'job=~"$job"'
AGENT = 'agent_id=~"$agent"'
STAGE = 'stage=~"$stage"'

TOP = 15
"""Series a panel draws at most: fifteen lines can be told apart, a thousand agents cannot."""


def selector(metric: str, *matchers: str) -> str:
    """Select ``metric`` of the chosen jobs, narrowed by ``matchers``."""
    return f"{metric}{{{', '.join((JOB, *matchers))}}}"


def total(expression: str, *by: str) -> str:
    """Sum over everything but the labels ``by``; without ``by`` one series."""
    return f"sum by ({', '.join(by)}) ({expression})" if by else f"sum({expression})"


def rate(metric: str, *matchers: str, by: tuple[str, ...] = ()) -> str:
    """Count events per second of a counter, summed after the rate so that a restart of one exporter is seen as one."""
    return total(f"rate({selector(metric, *matchers)}[$__rate_interval])", *by)


def per_minute(metric: str, *matchers: str, by: tuple[str, ...] = ()) -> str:
    """Count events per minute: a unit in which rare events can be counted, and comparable at every zoom."""
    return f"60 * {rate(metric, *matchers, by=by)}"


def quantile(q: float, histogram: str, *matchers: str, by: tuple[str, ...]) -> str:
    """Take the ``q`` quantile in the histogram's unit. ``>= 0`` drops the NaN of a window without an observation."""
    return f"histogram_quantile({q}, {rate(f'{histogram}_bucket', *matchers, by=('le', *by))}) >= 0"


def ratio(part: str, whole: str) -> str:
    """Divide ``part`` by ``whole``, and give nothing at all (no NaN, no infinity) where ``whole`` is zero."""
    return f"({part}) / (({whole}) > 0)"


def share(good: str, bad: str) -> str:
    """Give ``good / (good + bad)`` where either side may never have been seen: a side that is missing is zero."""
    left, right = f"({good} or 0 * {bad})", f"({bad} or 0 * {good})"
    return ratio(left, f"{left} + {right}")


def or_zero(expression: str, *by: str) -> str:
    """Give ``expression``, or 0 while the exporter is scraped: nothing happened is flat, exporter gone is a gap.

    ``task_split_total`` has no labels and exists from the exporter's first scrape, so it says that it was there.
    """
    return f"{expression} or 0 * {total(selector('task_split_total'), *by)}"


def worst(choose: Literal["min", "max"], recorded: str) -> str:
    """Read a recorded indicator, ``job:…``, of the chosen job, and of the worse one where several are chosen."""
    return f"{choose}({selector(recorded)})"


def top(expression: str, whole_range: str) -> str:
    """Keep the ``TOP`` series of ``expression`` that are largest by ``whole_range``.

    A bare ``topk`` chooses anew at every step, so lines appear and vanish; ranking once, at the end of the shown range
    (``@ end()`` inside ``whole_range``), keeps them whole.
    """
    return f"({expression}) and topk({TOP}, {whole_range})"


def named_container(limit: str) -> str:
    """Give a container's ``limit`` its name and agent where the exporter knows them, and show it without where not.

    ``topk by (container_id) (1, …)`` takes one description when a container was described twice (two exporters, or an
    image that changed): a join with two partners would fail the whole panel. A container that was never described stays
    visible whatever agent is chosen; one described without an agent shows while all agents are.
    """
    info = f"topk by (container_id) (1, {selector('eddie_container_info', AGENT)})"
    anyone = f"count by (container_id) ({selector('eddie_container_info')})"
    named = f"{limit} * on (container_id) group_left (name, agent_id) {info}"
    return f"({named}) or ({limit} unless on (container_id) {anyone})"
