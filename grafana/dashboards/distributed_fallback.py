"""Station "panel": the dashboard of the distributed fallback system, one function a panel, in the order it is read.

First row: is it well, against the objectives? Second: where does it hurt? Third: who does the work? Fourth: what does
it cost? Ids are fixed and follow the brief, not the place: alerts, runbook and screenshots point at them.
"""

from __future__ import annotations

from dashboards import style
from dashboards.frame import frame
from dashboards.promql import (
    AGENT,
    STAGE,
    TOP,
    named_container,
    or_zero,
    per_minute,
    quantile,
    rate,
    ratio,
    selector,
    share,
    top,
    total,
    worst,
)
from dashboards.sdk import Dashboard, Panel

UID = "eddie-distributed-fallback"


def task_splits() -> Panel:
    """Show how often tasks are split, and into how many chunks."""
    built = style.panel(
        1,
        "Task splits",
        "Tasks that timed out and were split, the chunks they became, and (right) chunks per split. Splits "
        "rising while chunks per split stays the same: more tasks run into their timeout; read *Timeout "
        "events* and *Task latency* for the stage. Chunks per split rising: tasks grow; raise the chunk size "
        "or the timeout.",
        style.PER_MINUTE,
    )
    per_split = ratio(rate("task_split_chunks_total"), rate("task_split_total"))
    return (
        built.with_target(style.query("A", per_minute("task_split_total"), "splits"))
        .with_target(style.query("B", per_minute("task_split_chunks_total"), "chunks"))
        .with_target(style.query("C", per_split, "chunks per split", interval=style.SPARSE))
        .override_by_name("chunks per split", [*style.right_axis("none", "chunks per split"), *style.dashes()])
    )


def timeout_events() -> Panel:
    """Show timeouts a minute, by agent and reason."""
    by = ("agent_id", "reason")
    whole = total(f"increase({selector('timeout_events_total', AGENT)}[$__range] @ end())", *by)
    built = style.panel(
        2,
        "Timeout events by agent and reason",
        f"Timeouts per minute of the {TOP} with most of them; the line is the sum of all. HighTimeoutEvents "
        "points here. One agent stands out: look at its load, its container's limits and its host. All "
        "agents, one reason: look at what they share (model, network, queue) and at the timeout itself.",
        style.PER_MINUTE,
    )
    return (
        built.with_target(
            style.query("A", top(per_minute("timeout_events_total", AGENT, by=by), whole), "{{agent_id}} · {{reason}}")
        )
        .with_target(style.query("B", or_zero(per_minute("timeout_events_total", AGENT)), "all"))
        .override_by_query("A", style.areas())
        .override_by_name("all", [style.fixed(style.MUTED)])
        .legend(style.legend("mean", "max"))
    )


def task_latency() -> Panel:
    """Show p95 and p99 of a task's execution time, by stage."""
    built = style.panel(
        3,
        "Task latency p95 / p99 by stage",
        "How long tasks take, fallback included; timed-out tasks count too. The thick line is p99 of the "
        "whole job's last hour, the indicator; objective: below 60 s. One stage above it: compare its "
        "timeouts and splits. p99 far from p95: a few tasks or one agent; read *Chunk latency by agent*.",
        style.SECONDS,
    )
    for ref, q, name in (("A", 0.95, "p95"), ("B", 0.99, "p99")):
        expression = quantile(q, "task_execution_seconds", STAGE, by=("stage",))
        built = built.with_target(style.query(ref, expression, f"{name} {{{{stage}}}}", interval=style.SPARSE))
    recorded = worst("max", "job:task_execution_seconds:p99_rate1h")
    return (
        style.objective(built, 60, "above")
        .with_target(style.query("C", recorded, "p99, 1 h"))
        .override_by_regexp("/^p95/", style.dashes())
        .override_by_name("p99, 1 h", style.whole_job())
    )


def agent_load() -> Panel:
    """Show what runs on whom, and how unevenly."""
    whole = f"max by (agent_id) (avg_over_time({selector('agent_active_tasks', AGENT)}[$__range] @ end()))"
    built = style.panel(
        4,
        "Agent load",
        f"Tasks and chunks in flight on the {TOP} that are busiest, and (right) load balance: tasks executed "
        "by the busiest agent over the mean of all, last hour; objective: below 2. Above it: the scheduler "
        "prefers an agent, or others are gone or slow; compare *Chunk latency by agent*. A line that never "
        "falls: work that never finishes.",
        "none",
    )
    active = total(selector("agent_active_tasks", AGENT), "agent_id")
    balance = worst("max", "job:agent_load:max_over_mean_rate1h")
    return (
        built.with_target(style.query("A", top(active, whole), "{{agent_id}}"))
        .with_target(style.query("B", balance, "busiest / mean, 1 h"))
        .override_by_name(
            "busiest / mean, 1 h",
            [*style.right_axis("suffix:x", "busiest / mean", objective=2), *style.whole_job()],
        )
        .axis_label("in flight")
    )


def success_and_failure() -> Panel:
    """Show the share of tasks that succeed, and failures a second by reason."""
    succeeded = rate("task_success_total", STAGE, by=("stage",))
    failed = rate("task_failure_total", STAGE, by=("stage",))
    built = style.panel(
        5,
        "Success and failure rate",
        "Share of tasks that succeed by stage, the whole job's last hour as a thick line (objective: above 95 "
        "%), and (right) failures per second by reason. HighFailureRate points here: above 0.1 failures per "
        "second. Find the reason that grew, then the stage, then what was deployed or went away at that time.",
        "percentunit",
    )
    job = worst("min", "job:task_success:ratio_rate1h")
    reasons = rate("task_failure_total", STAGE, by=("reason",))
    on_right = style.right_axis("suffix:/s", "failures", objective=0.1)
    return (
        style.objective(built, 0.95, "below")
        .with_target(style.query("A", share(succeeded, failed), "{{stage}}", interval=style.SPARSE))
        .with_target(style.query("B", job, "success, 1 h"))
        .with_target(style.query("C", or_zero(rate("task_failure_total", STAGE)), "failures"))
        .with_target(style.query("D", reasons, "{{reason}}"))
        .override_by_query("A", style.shares())
        .override_by_query("B", [*style.shares(), *style.whole_job(style.GOOD)])
        .override_by_query("C", on_right)
        .override_by_query("D", [*on_right, *style.bars()])
        .override_by_name("failures", style.whole_job(style.BAD))
    )


def cpu_limits() -> Panel:
    """Show CPU limits of the agents' containers."""
    built = style.panel(
        6,
        "Docker CPU limits",
        f"CPU limit of each container in cores, the {TOP} whose limit moved most; a container without a limit "
        "has no line. A limit that only grows: the agent is starved, look at its latency. Up and down all the "
        "time: the adjustment's thresholds are too close. No line at all: is Docker reachable "
        "(`eddie_docker_up`), and do containers carry the label?",
        "suffix:cores",
    )
    return container_limits(built, "docker_container_cpu_limit")


def memory_limits() -> Panel:
    """Show memory limits of the agents' containers."""
    built = style.panel(
        7,
        "Docker memory limits",
        f"Memory limit of each container, the {TOP} whose limit moved most; a container without a limit has no "
        "line. A step down just before failures: the agent was killed for memory, raise the lower bound. "
        "Steps up that never come back: a leak, or work that outgrew the chunk size.",
        "bytes",
    )
    return container_limits(built, "docker_container_memory_limit_bytes")


def merge_and_deduplication() -> Panel:
    """Show chunk results kept and dropped when results are merged."""
    built = style.panel(
        8,
        "Merge and deduplication",
        "Chunk results kept and dropped as duplicates, and (right) merge efficiency: kept over all, whole "
        "job, last hour; objective: above 90 %. Below it: the same chunk runs more than once. Usual cause: "
        "chunks handed out again before their lease ended; compare *Timeout events* and lengthen the lease.",
        style.PER_MINUTE,
    )
    efficiency = worst("min", "job:merge_efficiency:ratio_rate1h")
    on_right = style.right_axis("percentunit", "efficiency", objective=0.9, bad="below")
    return (
        built.with_target(style.query("A", per_minute("merge_chunks_combined_total"), "kept"))
        .with_target(style.query("B", per_minute("merge_deduplication_total"), "dropped"))
        .with_target(style.query("C", efficiency, "efficiency, 1 h"))
        .override_by_regexp("/^(kept|dropped)$/", style.bars())
        .override_by_name("efficiency, 1 h", [*on_right, style.setting("max", 1), *style.whole_job(style.GOOD)])
    )


def chunk_latency() -> Panel:
    """Show p95 of a chunk's execution time, by agent."""
    seconds, count = (
        total(f"rate({selector(f'chunk_execution_seconds_{part}', AGENT)}[$__range] @ end())", "agent_id")
        for part in ("sum", "count")
    )
    built = style.panel(
        9,
        "Chunk latency p95 by agent",
        f"How long 95 % of an agent's chunks take, the {TOP} that are slowest on average. One agent above the "
        "others: look at its container's limits, its host and its load, and take it out if it stays slow. All "
        "of them together: chunks have grown, or what they call has become slow.",
        style.SECONDS,
    )
    p95 = quantile(0.95, "chunk_execution_seconds", AGENT, by=("agent_id",))
    return built.with_target(style.query("A", top(p95, ratio(seconds, count)), "{{agent_id}}", interval=style.SPARSE))


def depth_and_adjustments() -> Panel:
    """Show fallbacks that went too deep, beside what elasticity did about it."""
    built = style.panel(
        10,
        "Fallback depth exceeded and elastic adjustments",
        "Tasks given up because they were split as deep as allowed, and changes of containers' CPU and memory "
        "limits. FallbackDepthExceeded points here: every bar of depth is a task that nobody finished. "
        "Adjustments before it: elasticity tried and was not enough, raise its upper bound. None before it: "
        "the task does not get smaller by splitting; look at its chunks' latency and at the depth limit.",
        style.PER_MINUTE,
    )
    adjustments = per_minute("docker_elastic_adjustment_total", by=("resource_type",))
    return (
        built.with_target(style.query("A", per_minute("fallback_depth_exceeded_total"), "depth exceeded"))
        .with_target(style.query("B", adjustments, "{{resource_type}} limit adjusted"))
        .override_by_name("depth exceeded", [*style.bars(), style.fixed(style.BAD)])
        .legend(style.legend("mean", "max"))
    )


def timeouts_per_hour() -> Panel:
    """Show timeouts of the last hour against their objective."""
    by_reason = total(f"increase({selector('timeout_events_total', AGENT)}[1h])", "reason")
    built = style.panel(
        11,
        "Timeouts per hour",
        "Timeouts of the hour before each point: the whole job as a thick line (objective: below 5), and by "
        "reason for the chosen agents. Above it for long without an alert: a slow leak that "
        "HighTimeoutEvents, which asks for more than 10 in five minutes, does not see. The reason says where "
        "to look; *Timeout events* says who.",
        "short",
    )
    recorded = or_zero(worst("max", "job:timeout_events:increase1h"))
    return (
        style.objective(built, 5, "above")
        .with_target(style.query("A", recorded, "whole job, 1 h"))
        .with_target(style.query("B", by_reason, "{{reason}}"))
        .override_by_query("B", style.areas())
        .override_by_name("whole job, 1 h", style.whole_job())
        .decimals(0)
    )


def chunk_conservation() -> Panel:
    """Show where every chunk is that was ever split off: totals to the unit, as the exporter has them, no rates.

    The exporter keeps ``started = finished + in flight + lost``, so what never started is what is left of ``split``,
    and the five numbers add up at every moment. More starts than splits (a chunk handed out again, or ended after its
    lease) make the last one negative.
    """
    built = style.panel(
        12,
        "Chunk conservation",
        "Where all chunks are: split = finished + in flight + lost + never started, to the unit, since the "
        "exporter's store began. Areas are the chunks without a result, lines (right) split and finished. "
        "ChunkLoss points here. Lost grows: agents die, or chunks outlive their lease; read *Agent load*. Never "
        "started grows: chunks wait for a free agent, or nobody tells their start. Never started below zero: "
        "chunks were handed out twice, or ended after their lease.",
        "none",
    )
    split, started = (total(selector(name)) for name in ("task_split_chunks_total", "eddie_chunks_started_total"))
    on_right = style.right_axis("none", "split, finished")
    return (
        built.with_target(style.query("A", split, "split"))
        .with_target(style.query("B", total(selector("eddie_chunk_outcomes_total")), "finished"))
        .with_target(style.query("C", total(selector("eddie_chunks_inflight")), "in flight"))
        .with_target(style.query("D", total(selector("eddie_chunks_lost_total")), "lost"))
        .with_target(style.query("E", f"{split} - {started}", "never started"))
        .override_by_name("split", [*on_right, style.fixed(style.MUTED), *style.dashes()])
        .override_by_name("finished", [*on_right, style.fixed(style.GOOD)])
        .override_by_name("in flight", [*style.areas(), style.fixed("blue")])
        .override_by_name("lost", [*style.areas(), style.fixed(style.BAD)])
        .override_by_name("never started", [*style.areas(), style.fixed("yellow")])
        .axis_label("without a result")
        .decimals(0)
        .legend(style.newest())
    )


def container_limits(built: Panel, metric: str) -> Panel:
    """Draw a limit as steps: it holds until it is changed."""
    moved = f"max by (container_id) (changes({selector(metric)}[$__range] @ end()))"
    limit = f"(max by (container_id) ({selector(metric)}) and topk({TOP}, {moved}))"
    return (
        built.with_target(style.query("A", named_container(limit), "{{name}} {{container_id}}"))
        .line_interpolation(style.STEP)
        .no_value("No container with a limit is known: see eddie_docker_up and the containers' label")
    )


ROWS = (
    (success_and_failure, task_latency, timeouts_per_hour),
    (timeout_events, depth_and_adjustments, chunk_conservation),
    (task_splits, agent_load, chunk_latency),
    (merge_and_deduplication, cpu_limits, memory_limits),
)


def build() -> Dashboard:
    """Put the whole dashboard together, row by row."""
    built = frame(
        UID,
        "Distributed fallback",
        "Splits, timeouts, latency, load, success, elasticity and merge quality of the fleet, against its objectives.",
        tags=["eddie", "fallback"],
        adjustments_on=[4, 6, 7, 9],
    )
    for y, row in enumerate(ROWS):
        width = style.COLUMNS // len(row)
        for x, panel in enumerate(row):
            built = built.with_panel(style.placed(panel(), x * width, y, width))
    return built
