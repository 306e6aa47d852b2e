"""Station "panel": what every dashboard of ours has around its panels: variables, annotations, time and refresh."""

from __future__ import annotations

from dashboards.promql import JOB, selector
from dashboards.sdk import (
    AnnotationPanelFilter,
    AnnotationQuery,
    Dashboard,
    Dataquery,
    DatasourceVariable,
    QueryVariable,
    dashboard,
)
from dashboards.style import DATASOURCE

ALL = dashboard.VariableOption(selected=True, text="All", value="$__all")


def choice(name: str, label: str, description: str, values: str) -> QueryVariable:
    """Offer a variable of several values whose "All" is ``.*``.

    Without that, Grafana writes "All" as an alternation of every value it knows: with a thousand agents the query is
    longer than a URL may be, and an agent that came since the page was loaded is left out.
    """
    return (
        QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(DATASOURCE)
        .query({"query": values, "refId": f"variable-{name}"})
        .definition(values)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.NATURAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(ALL)
    )


def variables() -> list[DatasourceVariable | QueryVariable]:
    """Offer data source, job, agent and stage."""
    source = (
        DatasourceVariable("datasource")
        .label("Data source")
        .description("The Prometheus that scrapes the exporter.")
        .type("prometheus")
        .current(dashboard.VariableOption(selected=True, text="Prometheus", value="prometheus"))
    )
    agents = '{__name__=~"agent_active_tasks|agent_tasks_executed_total|timeout_events_total", ' + JOB + "}"
    return [
        source,
        choice("job", "Job", "The scrape job of the exporter.", "label_values(task_split_total, job)"),
        choice("agent", "Agent", "Agents seen in the shown time.", f"label_values({agents}, agent_id)"),
        choice(
            "stage",
            "Stage",
            "Stages that finished a task in the shown time.",
            f"label_values({selector('task_execution_seconds_count')}, stage)",
        ),
    ]


def elastic_adjustments(panels: list[int]) -> AnnotationQuery:
    """Mark each minute in which a container's limit was changed, on the panels where it may explain something.

    ``>= 0.5`` because ``increase()`` extrapolates: one adjustment is 0.8 as often as 1.3.
    """
    changed = f"sum by (resource_type) (increase({selector('docker_elastic_adjustment_total')}[1m])) >= 0.5"
    return (
        AnnotationQuery()
        .name("Elastic adjustments")
        .datasource(DATASOURCE)
        .enable(True)
        .icon_color("rgba(150, 120, 210, 0.5)")
        .filter(AnnotationPanelFilter().exclude(False).ids(panels))
        .target(Dataquery().ref_id("Anno").datasource(DATASOURCE).expr(changed).range().interval("1m"))
        .title_format("{{resource_type}} limit adjusted")
        .tag_keys("resource_type")
    )


def frame(uid: str, title: str, description: str, *, tags: list[str], adjustments_on: list[int]) -> Dashboard:
    """Start a dashboard without panels: last six hours, fresh every 30 s, one cursor across all panels."""
    built = (
        Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(tags)
        .editable()
        .timezone("browser")
        .time("now-6h", "now")
        .refresh("30s")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .annotation(elastic_adjustments(adjustments_on))
    )
    for variable in variables():
        built = built.with_variable(variable)
    return built
