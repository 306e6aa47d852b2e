"""Beside the data's way: what the board says of itself, one JSON object a line on standard error.

JSON and nothing else, so that whatever somebody managed to get into a message (line breaks, terminal escapes) arrives
escaped and stays one line.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

_QUIET = ("httpx", "httpcore", "asyncio", "socketio", "engineio")
"""Libraries that tell of each request they make; only their warnings are of use here."""


def configure(level: str) -> None:
    """Send structlog's and the standard library's messages of ``level`` and above to standard error as JSON."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
