"""Every setting of the exporter, read once, from environment variables that begin with ``EDDIE_``."""

from __future__ import annotations

import itertools
import math
import socket
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from eddie_exporter.errors import SettingsError

DEFAULT_BUCKETS = (0.5, 1, 2.5, 5, 10, 15, 30, 45, 60, 90, 120, 180, 300, 600, 1200, 1800, 3600)
"""Seconds: a bound at each usual timeout and at each objective; agents run for an hour."""


class Settings(BaseSettings):
    """One field a setting; the description is the sentence ``.env.example`` has for it."""

    model_config = SettingsConfigDict(env_prefix="EDDIE_", frozen=True, extra="ignore")

    host: str = Field("127.0.0.1", description="Address the exporter listens on.")
    port: int = Field(8503, ge=0, le=65535, description="Port the exporter listens on; 0 takes a free one.")
    environment: str = Field(
        "default",
        pattern=r"^[A-Za-z0-9_.-]{1,64}$",
        description="Name of this environment; part of every notification.",
    )
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="How much the exporter logs.")

    ingest_token_file: Path | None = Field(
        None, description="File of the tokens that may send events; unset asks none."
    )
    alerts_token_file: Path | None = Field(
        None, description="File of the token that may post notifications; unset asks none."
    )
    read_token_file: Path | None = Field(None, description="File of the token that may read; unset asks none.")

    data_dir: Path | None = Field(
        None, description="Directory of the exporter's store; unset keeps everything in memory only, until the end."
    )
    durability: Literal["power", "process"] = Field(
        "power",
        description="What an answer 202 survives: power = a power cut (fsync), process = a killed process (no fsync).",
    )
    retire_after: float = Field(
        2_592_000, ge=60, le=3_153_600_000, description="Seconds of silence after which an agent's counters leave."
    )
    queue_requests: int = Field(1024, ge=1, le=100_000, description="Requests that may wait to be stored; past it 503.")
    queue_bytes: int = Field(
        67_108_864, ge=8_388_608, le=4_294_967_296, description="Bytes of their bodies that may wait; past it 503."
    )
    receipt_seconds: float = Field(60, gt=0, le=3600, description="How long a request's body may take to arrive.")
    header_seconds: float = Field(10, gt=0, le=3600, description="How long a request's headers may take to arrive.")
    max_connections: int = Field(4096, ge=1, le=65_536, description="Connections served at once; past it 503.")

    buckets: Annotated[tuple[float, ...], NoDecode] = Field(
        DEFAULT_BUCKETS, description="Upper bounds of the histograms in seconds, ascending; never change them later."
    )
    openmetrics: bool = Field(
        default=True, description="Offer OpenMetrics, whose creation times make a first event count."
    )
    max_agents: int = Field(10_000, ge=10, le=1_000_000, description="Agents and containers a metric may name.")
    max_samples: int = Field(
        200_000, ge=1000, le=10_000_000, description="Samples in all; past it new label values become __overflow__."
    )
    gauge_ttl_seconds: float = Field(
        1800, ge=1, le=604_800, description="Silence after which an agent's or a reported container's gauges leave."
    )
    history_events: int = Field(1000, ge=1, le=100_000, description="Last events kept in memory for the summary.")
    history_seconds: float = Field(21_600, ge=1, le=604_800, description="Age at which they are forgotten.")

    docker: bool = Field(default=True, description="Watch the limits of the fleet's containers through Docker.")
    docker_label: str = Field(
        "eddie.agent",
        pattern=r"^[A-Za-z0-9._/-]{0,128}$",
        description="Label of the containers to watch; empty watches all.",
    )
    docker_relist_seconds: float = Field(
        60, ge=1, le=3600, description="How often all containers are listed, beside following the engine's events."
    )

    public_url: str = Field(
        "", description="Address of this machine in links, without a port; default http://<host name>."
    )
    exporter_public_url: str = Field(
        "", description="The exporter's address in links; default public address and port."
    )
    prometheus_public_url: str = Field("", description="Prometheus's address in links.")
    alertmanager_public_url: str = Field("", description="Alertmanager's address in links.")
    grafana_public_url: str = Field("", description="Grafana's address in links.")
    prometheus_url: str = Field("", description="Where the exporter itself asks Prometheus; empty asks nothing.")
    alertmanager_url: str = Field("", description="Where the exporter itself asks Alertmanager; empty asks nothing.")
    grafana_url: str = Field("", description="Where the exporter itself asks Grafana; empty asks nothing.")
    runbook: Path | None = Field(None, description="The runbook's Markdown file; default: the one shipped beside.")

    @model_validator(mode="before")
    @classmethod
    def _empty_is_unset(cls, values: object) -> object:
        # Compose hands on unset variables as empty ones. Only for the label does empty say something: all.
        if not isinstance(values, dict):
            return values
        return {name: value for name, value in values.items() if value != "" or name == "docker_label"}

    @field_validator("buckets", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [float(one) for one in value.replace(",", " ").split()] if isinstance(value, str) else value

    @field_validator("buckets")
    @classmethod
    def _ascending(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not value or not all(0 < bound <= 31_536_000 and math.isfinite(bound) for bound in value):
            raise ValueError("expected at least one bound, each above 0 and at most 31536000 seconds")
        if any(high <= low for low, high in itertools.pairwise(value)):
            raise ValueError("expected ascending bounds, separated by spaces")
        return value

    def link(self, service: str) -> str:
        """Answer the address people reach ``service`` (exporter, prometheus, alertmanager, grafana) at."""
        ports = {"exporter": self.port, "prometheus": 9090, "alertmanager": 9093, "grafana": 3000}
        base = self.public_url or f"http://{socket.gethostname()}"
        chosen = str(getattr(self, f"{service}_public_url")) or f"{base.rstrip('/')}:{ports[service]}"
        return chosen.rstrip("/")


def load() -> Settings:
    """Read the settings from the environment. Raises SettingsError with every mistake in it."""
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError(
            [
                f"EDDIE_{str(one['loc'][0]).upper()}: {one['msg']}, got {str(one.get('input'))[:80]!r}"
                for one in error.errors()
            ]
        ) from None
