"""Alerted, faster: a copy of the stack's configuration with every duration divided by one factor, for `make test`.

    python3 scripts/derive_timings.py FACTOR OUTDIR

OUTDIR gets prometheus/ (without its tests), alertmanager/, grafana/provisioning/ and grafana/grafana.env: what the
programs read.
Divided: scrape and evaluation intervals, `for`, `keep_firing_for`, windows such as `[5m]` inside expressions and
templates, `group_wait`, `group_interval`, `repeat_interval`, `resolve_timeout`, durations among the flags, Grafana's
intervals and relative time ranges, its data source's `timeInterval`. Not touched: thresholds, names (`increase1h` keeps
its name), words ("in 5 minutes"), comments, dashboards. The text stays as it is but for those numbers; by 1 the copies
are the same bytes.

Rounding: durations become whole milliseconds, upwards. Grafana evaluates in steps of 10 s, so the intervals of its
rule groups are rounded up to those, and its time ranges to whole seconds. What is rounded can break the inequalities
by which one symptom stays one message (scripts/timings.py): then this refuses, and says the numbers.
"""

from __future__ import annotations

import math
import re
import shutil
import sys
from fractions import Fraction
from pathlib import Path

from timings import DURATION, TimingsError, inequalities, read, seconds

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("prometheus", "alertmanager", "grafana/provisioning", "grafana/grafana.env")
GRAFANA_STEP = 10
"""Seconds; as it is shipped, Grafana's scheduler knows no finer interval of evaluation."""

VALUE = re.compile(rf"""(?P<before>:\s+['"]?|=)(?P<duration>{DURATION})(?![\w.:/%-])""")
"""A value that is a duration: `for: 1m`, `"for": "1m"`, `--data.maintenance-interval=2s`."""
WINDOW = re.compile(rf"(?P<before>\[|\[{DURATION}:|\boffset\s+)(?P<duration>{DURATION})(?=[\]:\s])")
"""A window, a subquery's step or an offset inside PromQL: `[5m]`, `[1h:1m]`, `offset 1h`."""
GRAFANA_INTERVAL = re.compile(rf'(?P<before>"interval": ")(?P<duration>{DURATION})(?=")')
GRAFANA_RANGE = re.compile(r'(?P<before>"(?:from|to)": )(?P<duration>\d+)\b')


def divided(text: str, factor: Fraction) -> str:
    """Divide a duration, upwards to a whole millisecond; what does not change keeps its spelling."""
    length = seconds(text)
    if factor == 1 or length == 0:
        return text
    milliseconds = math.ceil(length / factor * 1000)
    return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"


def derived(path: Path, text: str, factor: Fraction, step: int = GRAFANA_STEP) -> str:
    """Rewrite one file; lines that are comments stay as they are."""

    def plain(found: re.Match[str]) -> str:
        return found["before"] + divided(found["duration"], factor)

    def stepped(found: re.Match[str]) -> str:
        steps = math.ceil(seconds(found["duration"]) / factor / step)
        return f"{found['before']}{found['duration'] if factor == 1 else f'{steps * step}s'}"

    def whole(found: re.Match[str]) -> str:
        return f"{found['before']}{math.ceil(int(found['duration']) / factor)}"

    def line(old: str) -> str:
        if old.lstrip().startswith("#"):
            return old
        if path.suffix != ".json":
            return WINDOW.sub(plain, VALUE.sub(plain, old))
        if GRAFANA_INTERVAL.search(old):
            return GRAFANA_INTERVAL.sub(stepped, old)
        return GRAFANA_RANGE.sub(whole, WINDOW.sub(plain, VALUE.sub(plain, old)))

    return "".join(map(line, text.splitlines(keepends=True)))


def is_timed(path: Path) -> bool:
    """Whether a file, named from the root, holds timings; dashboards and target files do not."""
    if path.parts[:3] == ("grafana", "provisioning", "dashboards") or "targets" in path.parts:
        return False
    return path.suffix in {".yml", ".yaml", ".json", ".sh"} or path.name.startswith("flags")


def derive(factor: Fraction, out: Path, root: Path = ROOT, *, step: int = GRAFANA_STEP) -> list[str]:
    """Write the copy and return remarks on what no longer holds in it; raises TimingsError on a wrong call.

    Raises it too when the copy would break one of the design's three inequalities. ``step`` is the finest interval,
    in seconds, of the Grafana that will read it.
    """
    if factor <= 0:
        raise TimingsError(f"expected a FACTOR above 0, got {float(factor):g}")
    taken = [part for part in PARTS if (out / part).exists()]
    if taken:
        raise TimingsError(f"expected OUTDIR without {', '.join(taken)}, got {out}: name another or remove them")
    for part in PARTS:
        _copy(root / part, out / part)
    for path in sorted(out.rglob("*")):
        if path.is_file() and path.relative_to(out).as_posix().startswith(PARTS) and is_timed(path.relative_to(out)):
            path.write_text(derived(path, path.read_text(), factor, step))
    broken = [each for each in inequalities(read(out)) if not each.holds]
    if any(each.name != "Dead" for each in broken):
        raise TimingsError(f"factor {float(factor):g} is too large: " + "; ".join(map(str, broken)))
    return [f"not for a test that kills Prometheus: {each}" for each in broken]


def _copy(source: Path, target: Path) -> None:
    """Copy a file or a directory with everything but what `_ignored` names."""
    if source.is_dir():
        shutil.copytree(source, target, ignore=_ignored, symlinks=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def _ignored(folder: str, names: list[str]) -> set[str]:
    """Leave out the rule tests, which hold for the shipped timings only, and what is mounted rather than shipped."""
    here = Path(folder)
    if here.name == "prometheus":
        return {"tests"}
    if here.parent.name == "prometheus" and here.name in {"local", "secrets"}:
        return set(names) - {"README", ".gitignore"}
    return set()


def main(arguments: list[str]) -> int:
    """Run as a command: 0 written, 1 refused, 2 wrong call."""
    if len(arguments) != 2:
        print("usage: derive_timings.py FACTOR OUTDIR", file=sys.stderr)
        return 2
    try:
        for remark in derive(Fraction(arguments[0]), Path(arguments[1])):
            print(remark, file=sys.stderr)
    except (TimingsError, ValueError) as error:
        print(f"derive_timings: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
