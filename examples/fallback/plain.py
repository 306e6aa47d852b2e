"""Write the example without its metrics into a folder: the lines marked `# eddie` go, and nothing else changes.

    python plain.py FOLDER

The block of a marked `with` moves to the left. `diff -u FOLDER .` shows what the metrics cost.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
FILES = ("base_agent.py", "agent_manager.py", "docker_orchestrator.py")
MARK = "  # eddie"


def plain(source: str) -> str:
    """Answer a module's text without the marked lines; a function that was only those is left with its docstring."""
    kept, withs = list[str](), list[int]()
    for line in source.splitlines():
        indent = len(line) - len(line.lstrip())
        while withs and line and indent <= withs[-1]:
            withs.pop()
        if line.endswith(MARK):
            if line.lstrip().startswith("with "):
                withs.append(indent)
            continue
        kept.append(line[4 * len(withs) :])
    return "\n".join(kept) + "\n"


def main(target: Path) -> None:
    """Write them."""
    target.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        (target / name).write_text(plain((HERE / name).read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
