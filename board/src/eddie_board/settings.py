"""Every setting of the board, read once, from environment variables that begin with ``EDDIE_``."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from eddie_board.errors import SettingsError

EX_CONFIG = 78
"""What a program exits with when its settings are wrong (sysexits.h); a supervisor need not try again."""


def _http(value: str) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0):
        raise ValueError("expected an address such as http://127.0.0.1:9090")
    return value.rstrip("/")


Address = Annotated[str, AfterValidator(_http)]


class Settings(BaseModel):
    """One field a setting; the description is the sentence ``.env.example`` has for it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    board_host: str = Field("127.0.0.1", min_length=1, description="Address the board listens on.")
    board_port: int = Field(8504, ge=0, le=65535, description="Port the board listens on; 0 takes a free one.")
    board_allowed_hosts: tuple[str, ...] = Field(
        (), description="Host names the board answers to beside this machine's and the links' own, with spaces between."
    )
    board_scrape_seconds: float = Field(
        15, ge=1, le=300, description="Prometheus's scrape interval; the board asks each query once in it."
    )
    board_timeout_seconds: float = Field(
        10, ge=0.1, le=120, description="How long the board waits for Prometheus and Alertmanager."
    )
    dashboards_path: Path = Field(
        Path("grafana/provisioning/dashboards"), description="Folder of the dashboards (*.json) the board shows."
    )
    local_dashboards_path: Path | None = Field(None, description="Folder of more dashboards; it may be missing.")
    prometheus_url: Address = Field("http://127.0.0.1:9090", description="Where the board asks Prometheus.")
    alertmanager_url: Address = Field("http://127.0.0.1:9093", description="Where the board asks Alertmanager.")
    public_url: Address = Field(
        "", description="Address of this machine in links, without a port; default http://<host name>."
    )
    exporter_public_url: Address = Field("", description="The exporter's address in links.")
    prometheus_public_url: Address = Field("", description="Prometheus's address in links.")
    alertmanager_public_url: Address = Field("", description="Alertmanager's address in links.")
    grafana_public_url: Address = Field(
        "", description="Grafana's address in links; the board's own where it stands in for it."
    )
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="How much the board logs.")

    @field_validator("board_allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value

    @field_validator("board_allowed_hosts")
    @classmethod
    def _named(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        bad = [host for host in value if not re.fullmatch(r"[A-Za-z0-9._:\[\]-]{1,253}", host)]
        if bad:
            raise ValueError(f"expected host names with spaces between, without scheme or path, got {bad}")
        return value

    def link(self, service: str) -> str:
        """Answer the address people reach ``service`` (exporter, prometheus, alertmanager, grafana) at."""
        ports = {"exporter": 8503, "prometheus": 9090, "alertmanager": 9093, "grafana": 3000}
        base = self.public_url or f"http://{socket.gethostname()}"
        return str(getattr(self, f"{service}_public_url")) or f"{base}:{ports[service]}"


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings; an empty variable is an unset one. Raises SettingsError with every mistake in it."""
    given = {name: environment.get(f"EDDIE_{name.upper()}", "") for name in Settings.model_fields}
    try:
        return Settings.model_validate({name: value for name, value in given.items() if value})
    except ValidationError as error:
        raise SettingsError(
            [
                f"EDDIE_{str(one['loc'][0]).upper()}: {one['msg']}, got {str(one.get('input'))[:80]!r}"
                for one in error.errors()
            ]
        ) from None
