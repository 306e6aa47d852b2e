"""The client's settings: what the agent's code says, else the environment's ``EDDIE_*``, else a default."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from eddie_metrics.errors import ClientSettingsError
from eddie_metrics.events import TEXT_PATTERN

DEFAULT_URL = "http://127.0.0.1:8503"
OUTBOX_BYTES = 256 * 2**20
"""An hour of 700 events a second."""
QUEUE_BYTES = 128 * 2**20
"""Reached only while the exporter is away: 800 000 events."""

_container_id = re.compile(r"[0-9a-f]{12}(?:[0-9a-f]{52})?\Z").match
_good = re.compile(TEXT_PATTERN).match


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """What a client needs to know; ``producer`` is ``named`` when somebody chose it: then it is used as it is."""

    url: str
    agent_id: str
    producer: str
    named: bool
    token_file: Path | None
    outbox: Path | None
    outbox_bytes: int
    queue_bytes: int

    @property
    def like_a_container(self) -> bool:
        """Whether the agent's id looks like a container's, which changes with every new container."""
        return _container_id(self.agent_id) is not None


def read(
    url: str | None = None,
    *,
    token_file: str | os.PathLike[str] | None = None,
    agent_id: str | None = None,
    producer: str | None = None,
    outbox: str | os.PathLike[str] | None = None,
    outbox_bytes: int | None = None,
    queue_bytes: int | None = None,
) -> ClientSettings:
    """Read the settings. Raises ClientSettingsError.

    Environment: ``EDDIE_URL``, ``EDDIE_TOKEN_FILE`` (or ``EDDIE_INGEST_TOKEN_FILE``), ``EDDIE_AGENT_ID``,
    ``EDDIE_PRODUCER``, ``EDDIE_OUTBOX`` (a folder), ``EDDIE_OUTBOX_BYTES``, ``EDDIE_CLIENT_QUEUE_BYTES``.
    """
    token = token_file or _env("TOKEN_FILE") or _env("INGEST_TOKEN_FILE")
    agent = _text("agent_id", agent_id or _env("AGENT_ID") or _host())
    chosen = producer or _env("PRODUCER")
    box = outbox or _env("OUTBOX")
    return ClientSettings(
        url=url or _env("URL") or DEFAULT_URL,
        agent_id=agent,
        producer=_text("producer", chosen or agent),
        named=bool(chosen),
        token_file=Path(token) if token else None,
        outbox=Path(box) if box else None,
        outbox_bytes=outbox_bytes or _bytes("OUTBOX_BYTES", OUTBOX_BYTES),
        queue_bytes=queue_bytes or _bytes("CLIENT_QUEUE_BYTES", QUEUE_BYTES),
    )


def _host() -> str:
    import socket  # noqa: PLC0415  (slow to import, and needed by who names no agent)

    return socket.gethostname()


def _env(name: str) -> str | None:
    return os.environ.get(f"EDDIE_{name}") or None


def _bytes(name: str, default: int) -> int:
    text = _env(name)
    if text is None:
        return default
    if not text.isdigit() or int(text) < 65_536:
        raise ClientSettingsError(f"EDDIE_{name}: expected a number of bytes, at least 65536, got {text!r}")
    return int(text)


def _text(name: str, value: str) -> str:
    if not isinstance(value, str) or len(value) > 128 or not _good(value):
        raise ClientSettingsError(
            f"{name}: expected 1 to 128 characters, no control characters, not beginning with `__`, got {value!r}"
        )
    return value


def token_of(path: Path, producer: str) -> str:
    """Answer the token of a file with lines ``token`` or ``producer token``. Raises OSError, ClientSettingsError."""
    own, free = _tokens(path, producer)
    for token in (*own, *free):
        if token.isascii():
            return token
    raise ClientSettingsError(f"{path}: expected a line `token`, or `{producer} token`, got none")


def bound(path: Path, producer: str) -> bool:
    """Answer whether the file has a token for this producer alone: then no other name will do."""
    try:
        return bool(_tokens(path, producer)[0])
    except (OSError, ValueError):
        return False


def _tokens(path: Path, producer: str) -> tuple[list[str], list[str]]:
    lines = [words for line in path.read_text("utf-8").splitlines() if (words := line.split())]
    own = [words[-1] for words in lines if len(words) == 2 and words[0] == producer]
    return own, [words[-1] for words in lines if len(words) == 1]
