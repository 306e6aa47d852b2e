"""Claims of speed and memory, as ratios against a named peer measured in the same run: ``make bench``.

Each row runs both sides in turn, several times, and prints the median of the ratios; nothing here passes or fails.
``python -m bench board`` measures one part only.
"""

from __future__ import annotations

import sys

from bench import board, client, example, exporter, intake
from bench.table import head

PARTS = {
    "client": client.rows,
    "example": example.rows,
    "exporter": exporter.rows,
    "intake": intake.rows,
    "board": board.rows,
}


def main() -> int:
    """Print the table."""
    head()
    for name, rows in PARTS.items():
        if name in (sys.argv[1:] or PARTS):
            rows()
    return 0


if __name__ == "__main__":
    sys.exit(main())
