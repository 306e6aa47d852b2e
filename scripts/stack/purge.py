"""Remove everything a stack has made: it lists it with sizes, asks, and leaves the machine as before the clone."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from stack import compose, modes
from stack.engine import Engine
from stack.model import Context, StackError

FOLDERS = {
    ".run": "state, logs and data of the native mode",
    "secrets": "tokens, passwords, receivers' addresses",
    ".tools": "downloaded programs",
    ".venv": "the virtual environment",
}
VOLUMES = {
    "exporter-data": "every total, and which events were counted",
    "prometheus-data": "every series that Prometheus keeps",
    "alertmanager-data": "silences",
    "grafana-data": "what people made in Grafana",
}
"""What goes with each volume of compose.yaml."""
KEPT = {".env": "your settings", "local": "your additions", "compose.override.yaml": "your changes"}


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that would go."""

    what: str
    size: str
    meaning: str
    remove: Callable[[], str | None]
    """Removes it; answers why it stays, None when it is gone."""


def size_of(folder: Path) -> int:
    """Answer the bytes below a folder; what cannot be read counts nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size
        except OSError:
            continue
    return total


def human(size: float) -> str:
    """Write bytes for people: 1 kB is 1000 bytes, as Docker counts."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g}{unit}"
        size /= 1000
    return f"{size:.3g}TB"


def _folder(path: Path, meaning: str) -> Item:
    def remove() -> str | None:
        try:
            shutil.rmtree(path)
        except OSError as error:
            return str(error)
        return None

    return Item(f"{path}/", human(size_of(path)), meaning, remove)


def _docker_items(ctx: Context) -> list[Item]:
    """Answer volumes and images; containers and networks go with `down` before.

    Only of a checkout that ran in containers: a volume knows its project's name, but not the folder it came from.
    """
    engine = compose.engine(ctx)
    volumes = engine.volumes(ctx.project)
    if volumes is None:
        return []
    if modes.begun(ctx) != modes.CONTAINERS:
        if volumes:
            ctx.say(
                f"{', '.join(volumes)} stay: volumes of a stack that nothing shows to be this checkout's; "
                f"if it is:  docker compose --project-name {ctx.project} down --volumes"
            )
        return []
    sizes = engine.sizes() if volumes else {}
    gone = partial(_volume_stays, engine, ctx.project)
    found = [Item(f"volume {name}", sizes.get(name, "?"), _lost(name), partial(gone, name)) for name in volumes]
    try:
        names = compose.images(ctx).all_names()
    except StackError as error:
        ctx.say(f"images are not listed: {error}")
        names = []
    made_here = engine.standins() if (ctx.root / ".tools" / "images").is_dir() else []
    for name in sorted({*names, *made_here}):
        size = engine.image_size(name)
        if size is not None:
            found.append(Item(f"image {name}", size, "the stack runs it", partial(engine.remove_image, name)))
    return found


def _lost(volume: str) -> str:
    """Say what a volume holds."""
    return next((what for name, what in VOLUMES.items() if volume.endswith(f"_{name}")), "data of the stack")


def _volume_stays(engine: Engine, project: str, name: str) -> str | None:
    """Say why a volume is still there after `docker compose down --volumes`, None when it went with it."""
    return "a container still uses it" if name in (engine.volumes(project) or []) else None


def items(ctx: Context) -> list[Item]:
    """Answer everything that would go, in the order it goes."""
    folders = {ctx.run: FOLDERS[".run"], ctx.secrets: FOLDERS["secrets"]}
    folders |= {ctx.root / name: FOLDERS[name] for name in (".tools", ".venv")}
    local = ctx.root / "local"
    if local.is_dir() and not _has_files(local):
        folders[local] = "empty folders for your additions"
    return [*_docker_items(ctx), *(_folder(path, meaning) for path, meaning in folders.items() if path.is_dir())]


def _has_files(folder: Path) -> bool:
    return any(not path.is_dir() for path in folder.rglob("*"))


def purge(ctx: Context, stop: Callable[[], None], *, yes: bool) -> int:
    """List, ask unless `yes`, stop the stack, remove. Answers 0 when all is gone, 1 when something stays."""
    found = items(ctx)
    if not found:
        ctx.say("nothing to remove")
        return 0
    _list(ctx, found)
    if not yes and not _agreed():
        ctx.say("nothing was removed; to remove without a question:  make purge YES=1")
        return 1
    stop()
    modes.forget(ctx.run)
    stays = 0
    for item in found:
        why = item.remove()
        if why is not None:
            stays += 1
            ctx.say(f"stays: {item.what} ({why})")
    return 1 if stays else 0


def _list(ctx: Context, found: Sequence[Item]) -> None:
    ctx.say("this would go:")
    width = max(len(item.what) for item in found)
    for item in found:
        ctx.say(f"  {item.what.ljust(width)}  {item.size:>8}  {item.meaning}")
    for key in ("EDDIE_TOOLS", "EDDIE_VENV"):
        if ctx.env.get(key):
            ctx.say(f"  {ctx.root / ctx.env[key]} stays: {key} names it, and another checkout may use it")
    for name, meaning in KEPT.items():
        path = ctx.root / name
        if path.is_file() or (path.is_dir() and _has_files(path)):
            ctx.say(f"  {name} stays: {meaning}")


def _agreed() -> bool:
    """Ask on a terminal; without one nobody can agree."""
    if not sys.stdin.isatty():
        return False
    return input("type yes to remove all of it: ").strip() == "yes"
