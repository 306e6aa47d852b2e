"""Judged: each shipped rule against the groups that a running Prometheus has loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from existing import committed
from existing.committed import Rule

_RULES = "put in the printed rule_files, let Prometheus's user read that folder, and reload"
_OLD = "let Prometheus read this checkout's prometheus/rules, and reload"


@dataclass(frozen=True)
class Finding:
    """One thing: ``state`` is `ok`, `missing`, `wrong` or `unknown` (it does not say), ``advice`` what to do."""

    name: str
    state: str
    said: str
    advice: str = ""


def judged(rule: Rule, groups: list[dict[str, Any]]) -> Finding | None:
    """Return what is wrong with a rule, or None. Another rule of the same name in a group of theirs is no concern."""
    kind = "alerting" if rule.kind == "alert" else "recording"
    named = [
        (group, each)
        for group in groups
        for each in group["rules"]
        if (each["type"], each["name"]) == (kind, rule.name)
    ]
    same = [(group, each) for group, each in named if _query(each) == rule.expression]
    mine = same or [(group, each) for group, each in named if group["name"] == rule.group]
    if not mine:
        return Finding(f"rule {rule.name}", "missing", "not loaded", _RULES)
    if not same:
        return Finding(f"rule {rule.name}", "wrong", f"another expression in {mine[0][0]['file']}", _OLD)
    if len({group["file"] for group, _ in same}) > 1:
        files = " and ".join(sorted(group["file"] for group, _ in same))
        return Finding(f"rule {rule.name}", "wrong", f"loaded twice, from {files}", "keep one of the rule_files lines")
    return _details(rule, same[0][1])


def _details(rule: Rule, found: dict[str, Any]) -> Finding | None:
    if rule.kind == "alert":
        wanted = {"for": rule.waits, "keep_firing_for": rule.keeps, "severity": rule.severity}
        got = {
            "for": float(found.get("duration", 0)),
            "keep_firing_for": float(found.get("keepFiringFor", 0)),
            "severity": found.get("labels", {}).get("severity", ""),
        }
        wrong = [f"{key}: expected {wanted[key]}, got {got[key]}" for key in wanted if wanted[key] != got[key]]
        if wrong:
            return Finding(f"rule {rule.name}", "wrong", "; ".join(wrong), _OLD)
    if found.get("health") == "ok":
        return None
    if found.get("health") == "unknown":
        return Finding(f"rule {rule.name}", "wrong", "not evaluated yet", "ask again in half a minute")
    error = " ".join(str(found.get("lastError", "")).split())
    return Finding(f"rule {rule.name}", "wrong", f"fails: {error}", "the error says what to do; Prometheus's log too")


def _query(found: dict[str, Any]) -> str:
    """Return a loaded rule's expression as the committed ones are compared."""
    return committed.plain(str(found.get("query", "")))
