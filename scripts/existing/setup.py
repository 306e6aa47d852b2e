"""`make setup-grafana`: runs scripts/setup_grafana_metrics.py with what `.env` says of programs you already have."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import setup_grafana_metrics
from stack import settings
from stack.model import StackError

ROOT = Path(__file__).resolve().parent.parent.parent
OPTIONS = {
    "EXISTING_GRAFANA_URL": "--grafana-url",
    "EXISTING_PROMETHEUS_URL": "--prometheus-url",
    "EXISTING_ALERTMANAGER_URL": "--alertmanager-url",
    "EDDIE_GRAFANA_TOKEN_FILE": "--token-file",
    "EDDIE_ENVIRONMENT": "--environment",
}
"""What each key is on the command line."""


def options(env: Mapping[str, str]) -> list[str]:
    """Turn settings into options; an empty one counts as unset. Raises StackError where no Grafana is named."""
    if not env.get("EXISTING_GRAFANA_URL"):
        raise StackError(
            "EXISTING_GRAFANA_URL: expected the address of your Grafana in .env, got none; docs/setup-grafana.md"
        )
    return [word for key, option in OPTIONS.items() if env.get(key) for word in (option, env[key])]


def main(more: list[str]) -> int:
    """Run the script; ``more`` are options for it, which win over `.env`."""
    file = ROOT / ".env"
    try:
        written = settings.parse_env(file.read_text("utf-8"), os.environ) if file.is_file() else {}
        env = {**written, **os.environ}
        given = options(env)
    except StackError as error:
        print(f"setup-grafana: {error}", file=sys.stderr)
        return setup_grafana_metrics.USAGE
    if env.get("EDDIE_EXPORTER_PUBLIC_URL"):
        os.environ["EDDIE_EXPORTER_PUBLIC_URL"] = env["EDDIE_EXPORTER_PUBLIC_URL"]
    return setup_grafana_metrics.main([*given, *more])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
