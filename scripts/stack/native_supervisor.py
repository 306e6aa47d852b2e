"""Native mode's supervisor: circus, with one kind of line kept out of its log.

Run as `python -m stack.native_supervisor <circus.ini>`. Circus looks after its services every 0.1 s, and while it ends
them each look is refused with a traceback: five of them at every `make down`, of which none means anything.
"""

from __future__ import annotations

import logging

from circus import circusd  # type: ignore[import-untyped]
from circus.exc import ConflictError  # type: ignore[import-untyped]


def worth_a_line(record: logging.LogRecord) -> bool:
    """Tell whether a record is anything but a look that was refused because circus is busy."""
    return not (record.exc_info and isinstance(record.exc_info[1], ConflictError))


if __name__ == "__main__":
    logging.getLogger("tornado.application").addFilter(worth_a_line)
    circusd.main()
