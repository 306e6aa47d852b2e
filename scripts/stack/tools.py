"""Programs of native mode: each is taken from the first source that has it, kept in `.tools`, and its source is said.

Sources in order: PATH, GRAFANA_HOME (Grafana only), what `.tools` holds already, the project's release archive, the
distribution's archive. Run as `python3 -m stack.tools`, it fetches them and prints the folder to put on PATH.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from stack import settings, tools_archive
from stack.model import StackError
from stack.tools_model import ALERTMANAGER, GRAFANA, PROMETHEUS, Found, Program, SourceError, version_of
from stack.tools_path import from_grafana_home, from_path
from stack.tools_release import from_release

Say = Callable[[str], None]
PROGRAMS = (PROMETHEUS, ALERTMANAGER, GRAFANA)


class MissingProgramError(Exception):
    """No source has a program the stack cannot do without; install it, or name a mirror in its *_RELEASES_URL."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Search:
    """What all sources share during one call."""

    env: Mapping[str, str]
    tools: Path
    archive: tools_archive.Archive
    silent: set[str] = dataclasses.field(default_factory=set)
    """Addresses that gave no answer and are not asked again."""


def folder(root: Path, env: Mapping[str, str]) -> Path:
    """Name the folder where programs are kept: `.tools`, or EDDIE_TOOLS where several checkouts share them."""
    return Path(env.get("EDDIE_TOOLS") or root / ".tools").absolute()


def ensure(
    root: Path, env: Mapping[str, str], say: Say = print, programs: tuple[Program, ...] = PROGRAMS
) -> dict[str, Found]:
    """Get every program, by its name; Grafana alone may be absent. Raises MissingProgramError with all reasons."""
    tools = folder(root, env)
    if env.get("EDDIE_TOOLS") and tools.is_dir() and any(tools.iterdir()) and not (tools / ".lock").exists():
        raise MissingProgramError(
            f"EDDIE_TOOLS: expected a folder of its own, new or made by `make up`, got {tools}, which holds other "
            "things; name another"
        )
    tools.mkdir(parents=True, exist_ok=True)
    found: dict[str, Found] = {}
    with _locked(tools), tools_archive.opened(tools, env) as archive:
        search = _Search(env, tools, archive)
        for program in programs:
            try:
                found[program.name] = _first(program, search, say)
            except SourceError as error:
                if program is not GRAFANA:
                    raise MissingProgramError(_missing(program, error)) from error
                say(f"grafana: left out, no source has {program.wished} or newer ({error})")
        _link(tools, found)
    return found


def _first(program: Program, search: _Search, say: Say) -> Found:
    """Ask the sources in their order; raises SourceError with each one's reason when none has it."""
    env, tools = search.env, search.tools
    kept = _kept(program, tools)
    current = kept is not None and kept.wanted == program.pinned
    sources: list[tuple[str, Callable[[], Found]]] = [("PATH", lambda: from_path(program, env, tools))]
    if program is GRAFANA:
        sources.append(("GRAFANA_HOME", lambda: from_grafana_home(program, env)))
    if current:
        sources.append((".tools", lambda: _still_runs(kept)))
    sources.append(("release archive", lambda: from_release(program, env, tools, search.silent)))
    sources.append(("distribution's archive", lambda: search.archive.fetch(program)))
    if kept and not current:
        sources.append((".tools", lambda: _still_runs(kept)))
    reasons: list[str] = []
    for name, source in sources:
        try:
            found = source()
        except SourceError as error:
            reasons.append(f"{name}: {error}")
            continue
        _announce(program, found, reasons if found is not kept else [], say)
        if found.source in {"release", "archive"}:
            _record(tools, found).write_text(json.dumps(dataclasses.asdict(found), indent=2) + "\n")
        return found
    raise SourceError("; ".join(reasons))


def _announce(program: Program, found: Found, reasons: list[str], say: Say) -> None:
    """One line for what came from where, one for each thing a person should know about it."""
    for reason in reasons:
        say(f"{program.name}: not from {reason}")
    say(f"{program.name} {found.version} from {_words(found)}")
    for note in found.notes:
        say(f"{program.name} {found.version}: {note}")


def _words(found: Found) -> str:
    """Name the source as a person says it."""
    names = {"GRAFANA_HOME": "the folder GRAFANA_HOME", "release": "its project's release", "archive": "the archive"}
    return f"{names.get(found.source, found.source)} ({found.place})"


def _kept(program: Program, tools: Path) -> Found | None:
    """Read what an earlier call fetched, if its record can be read."""
    try:
        fields = json.loads(_record(tools, program).read_text())
        return Found(**fields)
    except (OSError, ValueError, TypeError):
        return None


def _still_runs(kept: Found | None) -> Found:
    """Check that a kept program is there and runs; a checkout may have been moved, a machine replaced."""
    if kept is None:
        raise SourceError("nothing kept")
    version_of(next(iter(kept.binaries.values())))
    return kept


def _record(tools: Path, program: Program | Found) -> Path:
    """Name the file that says where a fetched program came from."""
    return tools / f"{program.name}.json"


def _link(tools: Path, found: dict[str, Found]) -> None:
    """Make `.tools/bin` name exactly what was found, whatever its source: one folder to put on PATH."""
    folder = tools / "bin"
    folder.mkdir(exist_ok=True)
    for link in folder.iterdir():
        if not link.exists():
            link.unlink()
    for program in found.values():
        for name, target in program.binaries.items():
            link = folder / name
            if not (link.is_symlink() and os.readlink(link) == target):  # noqa: PTH115 - compares text, not a resolved path
                link.unlink(missing_ok=True)
                link.symlink_to(target)


def _missing(program: Program, error: SourceError) -> str:
    """Say it to the person when no source has a program."""
    return (
        f"{program.name}: expected {program.wished} or newer from one source, none has it ({error}). "
        f"Put {' and '.join(program.binaries)} on PATH, or name a mirror of its releases in {program.releases_key}."
    )


@contextmanager
def _locked(tools: Path) -> Iterator[None]:
    """One fetch at a time: two stacks of one checkout may start together."""
    with (tools / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Fetch Prometheus and Alertmanager (with `all`: Grafana too) and print the folder to put on PATH."""
    root = Path(__file__).resolve().parents[2]
    wanted = PROGRAMS if "all" in sys.argv[1:] else (PROMETHEUS, ALERTMANAGER)
    try:
        env = settings.load(root, os.environ)
        ensure(root, env, lambda line: print(line, file=sys.stderr), wanted)
    except (MissingProgramError, StackError) as error:
        print(error, file=sys.stderr)
        return 1
    print(folder(root, env) / "bin")
    return 0


if __name__ == "__main__":
    sys.exit(main())
