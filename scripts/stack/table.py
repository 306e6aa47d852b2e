"""What `up` and `status` end with: what runs, where, in which mode and why, and whether anybody is told."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from stack.model import Context, ServiceRow

GOOD = ("ready", "left out")
"""States that are as they should be."""
NOBODY = "nobody-is-told"
"""Alertmanager's receiver of this name exists exactly when no person's receiver does."""
_ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
"""Compose clears lines of a terminal, also where there is none."""
_HEADS = ("service", "state", "version", "address", "note")


def table(rows: Sequence[ServiceRow]) -> list[str]:
    """Lay the rows out in columns as wide as their longest word; the last column is left ragged."""
    lines = [_HEADS, *((row.name, row.state, row.version or "-", row.address or "-", row.note) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADS) - 1)]
    padded = ("  ".join([*(word.ljust(width) for word, width in zip(line, widths, strict=False)), line[-1]])
              for line in lines)  # fmt: skip
    return [line.rstrip() for line in padded]


def complaints(rows: Sequence[ServiceRow], last_words: Callable[[str], Sequence[str]]) -> list[str]:
    """Answer who is not as it should be, with the last lines of each one's log: why is in there, and the way out."""
    lines: list[str] = []
    for row in rows:
        if row.state not in GOOD:
            lines.append(f"{row.name} is {row.state}; its last words:")
            lines += [f"  {line}" for line in last_words(row.name)] or ["  (none)"]
    return lines


def plain(lines: Iterable[str]) -> list[str]:
    """Write log lines for a person, each once, where it was said last: what restarts says the same again and again."""
    said = [_plain(_ESCAPE.sub("", line).rstrip()) for line in lines]
    return list(dict.fromkeys(filter(None, reversed(said))))[::-1]


def _plain(line: str) -> str:
    try:
        said = json.loads(line)
    except ValueError:
        return line
    if not isinstance(said, dict) or "event" not in said:
        return line
    rest = {key: value for key, value in said.items() if key not in {"event", "level", "logger", "timestamp"}}
    told = ", ".join(f"{key}={value}" for key, value in rest.items())
    return f"{said.get('level', 'info')}: {said['event']}" + (f" ({told})" if told else "")


def made_secrets(made: Sequence[Path], root: Path) -> list[str]:
    """Say where the secrets are that were made just now; nothing when there were none."""
    places = [str(path.relative_to(root)) if path.is_relative_to(root) else str(path) for path in made]
    return [f"made secrets, readable by you and the stack: {', '.join(places)}"] if places else []


def ask(url: str) -> object:
    """Answer the JSON at an address of this machine, never through a proxy. Raises OSError or ValueError."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=5) as answer:
        return json.load(answer)


def nobody_is_told(ctx: Context) -> bool:
    """Say whether Alertmanager has no person to tell; one that does not answer tells nobody either."""
    try:
        receivers = ask(f"http://127.0.0.1:{ctx.ports['alertmanager']}/api/v2/receivers")
    except (OSError, ValueError):
        return True
    return isinstance(receivers, list) and any(receiver.get("name") == NOBODY for receiver in receivers)


def engine_unseen(ctx: Context) -> bool:
    """Say whether the exporter answers, and answers that it does not see the container engine."""
    try:
        health = ask(f"http://127.0.0.1:{ctx.ports['exporter']}/health")
    except (OSError, ValueError):
        return False
    return isinstance(health, dict) and health.get("docker") == "down"


def closing(ctx: Context, rows: Sequence[ServiceRow]) -> list[str]:
    """Answer the lines below the table that a person acts on."""
    lines: list[str] = []
    if any(row.name == "grafana" and row.state == "ready" for row in rows):
        lines.append(f"Grafana: user admin, password in {ctx.secrets / 'grafana' / 'admin_password'}")
    if any(row.name == "docker-proxy" and row.state == "ready" for row in rows) and engine_unseen(ctx):
        lines.append("limits of containers are not watched: the engine is not reached; make logs SERVICE=docker-proxy")
    if nobody_is_told(ctx):
        lines.append(
            "NOBODY IS TOLD: alerts end in the inbox. Put a receiver's address into a file such as "
            f"{ctx.secrets / 'alertmanager' / 'slack_url'}, then: make down up"
        )
    return lines
