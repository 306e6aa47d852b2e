"""The API keeps to its document: schemathesis finds no 5xx and no status that is not in `/openapi.json`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.exporters import running

# 1.0 is an integer to JSON Schema and none to the contract, and some rules lie between fields: a body that the schema
# allows may be refused. That doors are closed without a token is a test of its own (test_access).
NOT_CHECKED = "positive_data_acceptance,ignored_auth"
TOKEN = "schemathesis"
# Nothing in HTTP forbids a header that a document does not name.
CONFIG = "[generation]\nallow-extra-parameters = false\n"


def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    """Every route, with data inside and outside its schema: no fault, no undocumented status, no wrong body."""
    token, runbook = tmp_path / "token", tmp_path / "runbook.md"
    token.write_text(TOKEN)
    runbook.write_text("# Runbook")
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    doors = {f"EDDIE_{door}_TOKEN_FILE": str(token) for door in ("INGEST", "ALERTS", "READ")}
    with running(tmp_path, EDDIE_RUNBOOK=str(runbook), **doors) as exporter:
        command = [
            str(Path(sys.executable).with_name("schemathesis")), "run", f"{exporter.url}/openapi.json",
            "--header", f"Authorization:Bearer {TOKEN}", "--exclude-checks", NOT_CHECKED, "--seed", "3",
            "--max-examples", "15", "--phases", "coverage,fuzzing", "--continue-on-failure", "--no-color",
        ]  # fmt: skip
        env = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        told = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False)
        faults = [line for line in exporter.lines() if '"level": "error"' in line]
    assert told.returncode == 0, told.stdout[-8000:] + told.stderr[-2000:]
    assert "Operations:       20 selected / 20 total" in told.stdout
    assert faults == []
