"""Which of the two ways a stack runs in: chosen once, remembered, and kept as long as it holds data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stack import compose
from stack.model import Context, StackError

CONTAINERS, NATIVE = "containers", "native"
MODES = (CONTAINERS, NATIVE)


@dataclass(frozen=True, slots=True)
class Choice:
    """A mode, and why this one: the sentence ends with what the other one fails at, if it does."""

    mode: str
    why: str


def recall(run: Path) -> str | None:
    """Answer the mode the stack of `run` was last started in, None for one that never was."""
    try:
        mode = (run / "mode").read_text("utf-8").strip()
    except OSError:
        return None
    return mode if mode in MODES else None


def begun(ctx: Context) -> str | None:
    """Answer the mode of what was started here, a bare `docker compose up` included, None when nothing was."""
    return recall(ctx.run) or (CONTAINERS if compose.engine(ctx).containers() else None)


def remember(run: Path, mode: str) -> None:
    """Write the mode down, before anything starts: what was begun must be found again."""
    run.mkdir(parents=True, exist_ok=True)
    (run / "mode").write_text(f"{mode}\n", "utf-8")


def forget(run: Path) -> None:
    """Forget the mode, when nothing of it is left."""
    (run / "mode").unlink(missing_ok=True)


def choose(
    env: Mapping[str, str],
    remembered: str | None,
    holds_data: Callable[[str], bool],
    containers_fail: Callable[[], str | None],
) -> Choice:
    """Choose the mode for `up`.

    `holds_data(mode)` says whether the remembered mode kept something; `containers_fail()` names the first condition
    that containers fail (asked only when the answer matters: it may pull images). Raises StackError when the other
    mode holds data, or when the mode that has to be cannot be.
    """
    asked = env.get("EDDIE_MODE", "")
    if asked and asked not in MODES:
        raise StackError(f"EDDIE_MODE: expected {CONTAINERS} or {NATIVE}, got {asked!r}; mend it in .env", code=2)
    bound = remembered if remembered and holds_data(remembered) else None
    if asked and bound and asked != bound:
        raise StackError(
            f"EDDIE_MODE={asked}, but this stack's data is in mode {bound}; "
            f"go on with it:  EDDIE_MODE={bound} make up  - or remove all of it first:  make purge"
        )
    if asked == NATIVE:
        return Choice(NATIVE, "EDDIE_MODE=native asks for it; containers were not tried")
    if bound == NATIVE:
        return Choice(NATIVE, "its data is in this mode; containers were not tried (make purge frees the choice)")
    fails = containers_fail()
    if fails is None:
        why = "EDDIE_MODE=containers asks for it" if asked else "containers come first, and nothing is missing"
        return Choice(CONTAINERS, f"{why}; native was not needed")
    if asked == CONTAINERS:
        raise StackError(f"EDDIE_MODE=containers, but {fails}; mend that, or take EDDIE_MODE=native")
    if bound == CONTAINERS:
        raise StackError(
            f"this stack's data is in mode containers, but {fails}; mend that and type make up again, "
            f"or give the data up:  make purge && EDDIE_MODE=native make up"
        )
    return Choice(NATIVE, f"containers fail: {fails}")
