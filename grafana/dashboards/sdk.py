"""Station "panel": the one door to the Grafana Foundation SDK (0.0.21, dashboard schema 42).

Grafana's own library warns at import that classic (v1) dashboards are old. They are what file provisioning reads and
what the board shows (design §8), so the warning is silenced here, for these imports only, and nowhere else.
"""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="Prefer using dashboardv2", category=DeprecationWarning)
    from grafana_foundation_sdk.builders.common import (
        GraphThresholdsStyleConfig,
        LineStyle,
        StackingConfig,
        VizLegendOptions,
        VizTooltipOptions,
    )
    from grafana_foundation_sdk.builders.dashboard import (
        AnnotationPanelFilter,
        AnnotationQuery,
        Dashboard,
        DatasourceVariable,
        FieldColor,
        QueryVariable,
        ThresholdsConfig,
    )
    from grafana_foundation_sdk.builders.prometheus import Dataquery
    from grafana_foundation_sdk.builders.timeseries import Panel
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models import common, dashboard

__all__ = [
    "AnnotationPanelFilter",
    "AnnotationQuery",
    "Dashboard",
    "Dataquery",
    "DatasourceVariable",
    "FieldColor",
    "GraphThresholdsStyleConfig",
    "JSONEncoder",
    "LineStyle",
    "Panel",
    "QueryVariable",
    "StackingConfig",
    "ThresholdsConfig",
    "VizLegendOptions",
    "VizTooltipOptions",
    "common",
    "dashboard",
]
