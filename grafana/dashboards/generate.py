"""Station "panel": writes every generated file of grafana/provisioning; the same input gives the same bytes.

Run ``python grafana/dashboards/generate.py`` (``make dashboards``). With ``--check`` nothing is written: exit 1 names
the files that differ from what the sources say, so a JSON edited by hand is noticed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
if __name__ == "__main__":  # run as a file, Python looks for modules beside it, not for the package it belongs to
    sys.path.insert(0, str(HERE.parent))

from dashboards import alerting, distributed_fallback  # noqa: E402  # found only after the line above
from dashboards.sdk import JSONEncoder  # noqa: E402

PROVISIONING = HERE.parent / "provisioning"
RULES = HERE.parent.parent / "prometheus" / "rules" / "alerting"


def render(content: object) -> str:
    """Write JSON as it is committed: two spaces, keys in the order they were written, one newline at the end."""
    return json.dumps(content, cls=JSONEncoder, indent=2, ensure_ascii=False) + "\n"


def files(rules: Path = RULES) -> dict[str, str]:
    """Give every file's text by its path under ``grafana/provisioning``; ``rules`` holds Prometheus's alerts."""
    dashboard = distributed_fallback.build().build()
    provisioned = {f"dashboards/{distributed_fallback.UID}.json": render(dashboard)}
    for name, content in alerting.files(rules).items():
        provisioned[f"alerting/{name}"] = render(content)
    return provisioned


def stale(target: Path = PROVISIONING, rules: Path = RULES) -> list[str]:
    """List paths under ``target`` whose text is not what the sources say, or whose source is gone."""
    wanted = files(rules)
    there = {
        str(path.relative_to(target)) for kind in ("alerting", "dashboards") for path in target.glob(f"{kind}/*.json")
    }
    different = [name for name, text in wanted.items() if name in there and (target / name).read_text() != text]
    return sorted([*different, *(there ^ set(wanted))])


def main(arguments: list[str]) -> int:
    """Write the files, or with ``--check`` say which would change."""
    changed = stale()
    if "--check" in arguments:
        for name in changed:
            print(f"grafana/provisioning/{name} is not what its source says: run `make dashboards`", file=sys.stderr)
        return 1 if changed else 0
    wanted = files()
    for name in changed:
        path = PROVISIONING / name
        if name in wanted:
            path.write_text(wanted[name])
        else:
            path.unlink()
        print(f"grafana/provisioning/{name}: {'written' if name in wanted else 'removed, its source is gone'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
