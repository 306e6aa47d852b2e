"""Read: the job, flag, rules and waits as committed, so that nothing of them stands in a script a second time.

The standard library has no YAML. What is read here is only what these files use: `key: value` lines by indentation
and `|` or `>` blocks. Tests compare every answer with what a YAML library reads from the same files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "prometheus"
JOB = "eddie-metrics"
FEATURE = "created-timestamp-zero-ingestion"

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}
_KEY = re.compile(r"^( *)(?:- )?(\w+):(?: (.*))?$")


class CommittedError(Exception):
    """A committed file does not look as this reader expects: `git status` says whether it was edited here."""


@dataclass(frozen=True)
class Rule:
    """One shipped rule: ``kind`` is `alert` or `record`, waits are seconds."""

    group: str
    kind: str
    name: str
    expression: str
    waits: float = 0.0
    keeps: float = 0.0
    severity: str = ""


def seconds(text: str) -> float:
    """Return a Prometheus duration such as `1h30m` in seconds; raises ValueError for anything else."""
    parts = re.findall(r"(\d+)(ms|[smhdwy])", text)
    if text != "0" and (not parts or "".join(number + unit for number, unit in parts) != text):
        raise ValueError(f"expected a duration such as 15s or 15d, got {text!r}")
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def plain(expression: str) -> str:
    """Return PromQL without white space outside quotes: the server writes the same expression in its own layout."""
    return re.sub(r"\"(?:[^\"\\]|\\.)*\"|\s+", lambda found: "" if found[0].isspace() else found[0], expression)


def below(lines: list[str], head: str) -> list[str]:
    """Return the lines below the one that reads ``head``, without comments; empty where there is no such line.

    Items of a list may stand as deep as its key: Prometheus writes them so, people write them deeper.
    """
    depth, found = -1, list[str]()
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        indent = len(line) - len(line.lstrip(" "))
        item = indent == depth and line.lstrip().startswith("- ") and not head.startswith("- ")
        if depth >= 0 and indent <= depth and not item:
            break
        if depth >= 0:
            found.append(line)
        elif line.strip() == head:
            depth = indent
    return found


def scalars(lines: list[str]) -> dict[str, str]:
    """Return the `key: value` pairs of a block's own depth, unquoted."""
    found: dict[str, str] = {}
    for line in lines:
        match = _KEY.match(line)
        own = len(lines[0]) - len(lines[0].lstrip(" "))
        if match and len(match[1]) == own and match[3]:
            found[match[2]] = unquoted(match[3])
    return found


def unquoted(text: str) -> str:
    """Return a YAML scalar without its comment and quotes."""
    text = text.strip()
    quoted = re.match(r"'((?:[^']|'')*)'|\"((?:[^\"\\]|\\.)*)\"", text)
    if not quoted:
        return re.split(r"\s+#", text, maxsplit=1)[0]
    if quoted[1] is not None:
        return quoted[1].replace("''", "'")
    return re.sub(r"\\(.)", r"\1", quoted[2])


def configuration() -> list[str]:
    """Return the lines of the committed prometheus.yml."""
    return (PROMETHEUS / "prometheus.yml").read_text("utf-8").splitlines()


def job() -> dict[str, str]:
    """Return what is set for the exporter's job, with the intervals that it takes from `global` written out."""
    lines = configuration()
    usual = scalars(below(lines, "global:"))
    own = scalars(below(lines, f"- job_name: {JOB}"))
    try:
        return {"scrape_interval": usual["scrape_interval"], "scrape_timeout": usual["scrape_timeout"], **own}
    except KeyError as error:
        raise CommittedError(f"{PROMETHEUS / 'prometheus.yml'}: expected {error} below global:, got none") from None


def rule_globs() -> list[str]:
    """Return the shipped rules' file patterns, relative to `prometheus/rules`; the user's own in local/ stay away."""
    items = [line.strip().removeprefix("- ") for line in below(configuration(), "rule_files:")]
    found = [item.removeprefix("rules/") for item in items if item.startswith("rules/")]
    if not found:
        raise CommittedError(f"{PROMETHEUS / 'prometheus.yml'}: expected rule_files below rules/, got {items}")
    return found


def flag() -> tuple[str, str]:
    """Return the flag that a first event needs, and the sentence that says why, from the committed flags."""
    lines = (PROMETHEUS / "flags").read_text("utf-8").splitlines()
    wanted = f"--enable-feature={FEATURE}"
    if wanted not in lines or not lines[lines.index(wanted) - 1].startswith("# "):
        raise CommittedError(f"{PROMETHEUS / 'flags'}: expected {wanted} and its reason in the line above")
    return wanted, lines[lines.index(wanted) - 1].removeprefix("# ")


def rules() -> list[Rule]:
    """Return every shipped rule, in the files' order."""
    files = [path for pattern in rule_globs() for path in sorted((PROMETHEUS / "rules").glob(pattern))]
    found = [rule for path in files for rule in _rules(path)]
    if not found:
        raise CommittedError(f"expected rules in {PROMETHEUS / 'rules'}, got none")
    return found


def _rules(path: Path) -> Iterator[Rule]:
    group, current = "", dict[str, str]()
    for key, value in [*_pairs(path.read_text("utf-8").splitlines()), ("name", "")]:
        if key in {"name", "alert", "record"} and current:
            yield _rule(path, group, current)
            current = {}
        if key == "name":
            group = value
        elif key in {"alert", "record"}:
            current = {"kind": key, "name": value}
        elif current:
            current.setdefault(key, value)


def _pairs(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each `key: value` in order, with the text of its block where it has one."""
    at = 0
    while at < len(lines):
        match, at = _KEY.match(lines[at]), at + 1
        if not match or match[3] is None:
            continue
        if not re.fullmatch(r"[|>][-+]?", match[3]):
            yield match[2], unquoted(match[3])
            continue
        block = []
        while at < len(lines) and (not lines[at].strip() or lines[at].startswith(match[1] + " ")):
            block.append(lines[at])
            at += 1
        yield match[2], "\n".join(block)


def _rule(path: Path, group: str, said: dict[str, str]) -> Rule:
    if "expr" not in said:
        raise CommittedError(f"{path}: expected an expr for {said['name']}, got none that this reader understands")
    waits, keeps = (seconds(said.get(key, "0s")) for key in ("for", "keep_firing_for"))
    return Rule(group, said["kind"], said["name"], plain(said["expr"]), waits, keeps, said.get("severity", ""))
