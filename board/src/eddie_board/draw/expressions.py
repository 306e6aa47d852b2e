"""Station "draw": calls of draw.js's functions, which NiceGUI evaluates where an option's key begins with a colon."""

from __future__ import annotations

import json
from typing import Any, Literal

Name = Literal["tick", "value", "low", "high", "time", "tooltip", "dot", "bar", "named"]


def call(name: Name, *arguments: Any) -> str:
    """Write a call of ``name``; arguments become JSON in ASCII, which is JavaScript that can only be data.

    They are numbers and texts of the dashboard's file (units, mappings), never names or values of series: those reach
    the functions as what the chart passes to them.
    """
    # "<" too: the option may stand in the page's own source.
    written = (json.dumps(each, allow_nan=False).replace("<", "\\u003c") for each in arguments)
    return f"eddieDraw.{name}({', '.join(written)})"
