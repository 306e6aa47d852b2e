"""Logs of events, as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NOW = 1_790_000_000.0


def timeout(number: int, **more: Any) -> dict[str, Any]:
    """Make an event of a log."""
    return {"kind": "timeout", "agent_id": f"a{number % 7}", "reason": "deadline", **more}


def logged(folder: Path, *rows: Any) -> Path:
    """Write a log; a text is a line as it is."""
    log = folder / "events.ndjson"
    log.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return log
