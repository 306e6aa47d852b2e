"""Beside the data's way: how a person silences an alert: a link into Alertmanager's page, or a line for a shell.

The board itself can silence nothing: it has no route that writes. What it gives is text, and labels in that text come
from events, so anybody who can send an event may have written them: each is quoted for the one who will read it.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from urllib.parse import quote

LENGTH = "2h"
"""How long the proposed silence holds: as long as one works on it, and short enough not to be forgotten."""

_LEFT_OUT = frozenset({"origin", "__alert_rule_uid__", "grafana_folder"})
"""Labels that say which engine speaks: a silence holds for the symptom, whoever tells of it."""

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_PLAIN = re.compile(r"[^\s!=~,{}\\\"'`]+")


def matched(labels: Mapping[str, str]) -> list[tuple[str, str]]:
    """Answer the labels a silence of this alert names, its name first."""
    kept = [one for one in labels.items() if one[0] not in _LEFT_OUT]
    return sorted(kept, key=lambda one: (one[0] != "alertname", one))


def link(alertmanager: str, labels: Mapping[str, str]) -> str | None:
    """Answer the address of Alertmanager's form for a silence, filled in; None when its page cannot read a label.

    The page reads label names as they stand and values as JSON strings (ui/app/src/Utils/Filter.elm, 0.33).
    """
    pairs = matched(labels)
    if not all(_PLAIN.fullmatch(name) for name, _ in pairs):
        return None
    matchers = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in pairs)
    return f"{alertmanager.rstrip('/')}/#/silences/new?filter={quote('{' + matchers + '}', safe='')}"


def line(alertmanager: str, labels: Mapping[str, str]) -> str:
    """Answer the `amtool` line that makes the silence, quoted for a POSIX shell, and safe to be pasted."""
    words = [
        "amtool",
        "silence",
        "add",
        f"--alertmanager.url={alertmanager.rstrip('/')}",
        f"--duration={LENGTH}",
        "--comment=say why",
        *(_matcher(name, value) for name, value in matched(labels)),
    ]
    return shlex.join(words)


def _matcher(name: str, value: str) -> str:
    """Write a matcher so that both of Alertmanager's parsers read it alike: they agree on no escape but these.

    What cannot be printed does not go into the line at all: pasted into a terminal, an escape sequence would end the
    pasting and run what follows. It is matched by its number, in a regular expression.
    """
    shown = name if _NAME.fullmatch(name) else f'"{_escaped(name)}"'
    if value.isprintable():
        return f'{shown}="{_escaped(value)}"'
    numbered = "".join(_in_expression(character) for character in value)
    return f'{shown}=~"{_escaped(numbered)}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _in_expression(character: str) -> str:
    if not character.isprintable():
        return f"\\x{{{ord(character):x}}}"
    return f"\\{character}" if character in r"\.+*?()|[]{}^$" else character
