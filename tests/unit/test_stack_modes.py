from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stack import modes
from stack.model import StackError


def holds(*kept: str) -> Callable[[str], bool]:
    """Let these modes have kept data."""
    return lambda mode: mode in kept


def fails(reason: str | None) -> Callable[[], str | None]:
    """Let containers fail for this reason."""
    return lambda: reason


def never() -> str | None:
    """Stand where nobody is to ask."""
    raise AssertionError("containers were tried, though the answer cannot matter")


def test_containers_come_first() -> None:
    """Where nothing is missing for containers, containers it is."""
    choice = modes.choose({}, None, holds(), fails(None))
    assert choice.mode == "containers"
    assert "nothing is missing" in choice.why


def test_native_says_what_containers_fail_at() -> None:
    """Where a condition fails it is native, and the first failing condition is named."""
    choice = modes.choose({}, None, holds(), fails("`docker info` fails: no daemon"))
    assert (choice.mode, choice.why) == ("native", "containers fail: `docker info` fails: no daemon")


def test_asked_for_native_tries_no_containers() -> None:
    """EDDIE_MODE=native pulls nothing and asks no engine."""
    assert modes.choose({"EDDIE_MODE": "native"}, None, holds(), never).mode == "native"


def test_asked_for_containers_that_cannot_be_is_refused() -> None:
    """EDDIE_MODE=containers never ends in native behind the person's back."""
    with pytest.raises(StackError, match=r"EDDIE_MODE=containers, but no engine; mend that, or take EDDIE_MODE=native"):
        modes.choose({"EDDIE_MODE": "containers"}, None, holds(), fails("no engine"))


def test_an_unknown_mode_is_refused() -> None:
    """A misspelt mode is a wrong call."""
    with pytest.raises(StackError, match="expected containers or native, got 'docker'") as caught:
        modes.choose({"EDDIE_MODE": "docker"}, None, holds(), never)
    assert caught.value.code == 2


@pytest.mark.parametrize(("asked", "other"), [("native", "containers"), ("containers", "native")])
def test_the_other_mode_is_refused_while_one_holds_data(asked: str, other: str) -> None:
    """Data in one mode refuses the other, with the line to type."""
    with pytest.raises(StackError, match=f"EDDIE_MODE={other} make up") as caught:
        modes.choose({"EDDIE_MODE": asked}, other, holds(other), never)
    assert "make purge" in str(caught.value)


@pytest.mark.parametrize("asked", modes.MODES)
def test_without_data_the_mode_may_change(asked: str) -> None:
    """A remembered mode that kept nothing binds nobody."""
    other = next(mode for mode in modes.MODES if mode != asked)
    assert modes.choose({"EDDIE_MODE": asked}, other, holds(), fails(None)).mode == asked


def test_native_data_keeps_native_though_an_engine_appeared() -> None:
    """A container engine that was installed later does not hide the data."""
    assert modes.choose({}, "native", holds("native"), never).mode == "native"


def test_container_data_never_turns_into_native_silently() -> None:
    """When the engine is away, a stack whose data is in containers does not start empty in the other mode."""
    with pytest.raises(StackError, match="data is in mode containers, but `docker info` fails"):
        modes.choose({}, "containers", holds("containers"), fails("`docker info` fails"))


def test_the_mode_is_remembered_until_it_is_forgotten(tmp_path: Path) -> None:
    """What was begun is found again; a file with anything else in it is nothing."""
    run = tmp_path / ".run"
    assert modes.recall(run) is None
    modes.remember(run, "native")
    assert modes.recall(run) == "native"
    (run / "mode").write_text("podman\n")
    assert modes.recall(run) is None
    modes.forget(run)
    modes.forget(run)
    assert not (run / "mode").exists()
