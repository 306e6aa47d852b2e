from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from stack import __main__ as command
from stack import compose, demo, modes, native, purge
from stack.model import Context


@pytest.fixture
def said() -> list[str]:
    """Collect what the person is told."""
    return []


@pytest.fixture
def ctx(tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch) -> Context:
    """Answer a stack that has left traces, on a machine without an engine."""
    monkeypatch.setattr(purge, "_docker_items", lambda _: [])
    for name in (".run/data", "secrets/grafana", ".tools/bin", "local/rules"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / ".run" / "data" / "block").write_bytes(b"x" * 1500)
    (tmp_path / ".env").write_text("")
    return Context(tmp_path, {}, tmp_path / ".run", tmp_path / "secrets", {}, said.append)


def test_everything_is_listed_with_its_size(ctx: Context, said: list[str]) -> None:
    """Before the question stands what would go, how big it is, and what stays."""
    assert purge.purge(ctx, lambda: None, yes=False) == 1
    assert any("/.run/" in line and "kB" in line for line in said)
    assert any(".env stays" in line for line in said)
    assert "make purge YES=1" in said[-1]


def test_without_a_terminal_nothing_goes(ctx: Context) -> None:
    """Nobody there to agree is no agreement; the stack is not even stopped."""
    stopped: list[bool] = []
    assert purge.purge(ctx, lambda: stopped.append(True), yes=False) == 1
    assert stopped == []
    assert (ctx.run / "data" / "block").exists()


def test_agreed_it_stops_first_and_leaves_the_users_own(ctx: Context) -> None:
    """The stack is stopped while its files are still there; settings stay, empty folders of ours go."""
    there: list[bool] = []
    assert purge.purge(ctx, lambda: there.append(ctx.run.exists()), yes=True) == 0
    assert there == [True]
    assert sorted(path.name for path in ctx.root.iterdir()) == [".env"]


def test_the_users_additions_stay(ctx: Context, said: list[str]) -> None:
    """A rule of the user's is theirs."""
    (ctx.root / "local" / "rules" / "mine.yml").write_text("groups: []")
    purge.purge(ctx, lambda: None, yes=True)
    assert (ctx.root / "local" / "rules" / "mine.yml").exists()
    assert any("local stays" in line for line in said)


def test_what_stays_is_said_and_counts(ctx: Context, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """An image in use is named with its reason, and the exit status is 1."""
    busy = purge.Item("image x", "1B", "the stack runs it", lambda: "a container uses it")
    monkeypatch.setattr(purge, "_docker_items", lambda _: [busy])
    assert purge.purge(ctx, lambda: None, yes=True) == 1
    assert "stays: image x (a container uses it)" in said


def test_nothing_left_is_nothing_to_ask(ctx: Context, said: list[str]) -> None:
    """A second purge has nothing to remove and says so."""
    purge.purge(ctx, lambda: None, yes=True)
    said.clear()
    assert purge.purge(ctx, lambda: None, yes=False) == 0
    assert said == ["nothing to remove"]


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0B"), (999, "999B"), (1500, "1.5kB"), (2.5e9, "2.5GB"), (3e12, "3TB")]
)
def test_sizes_are_for_people(size: float, words: str) -> None:
    """Three digits and a unit."""
    assert purge.human(size) == words


def test_a_folder_named_by_the_person_stays(ctx: Context, said: list[str], tmp_path: Path) -> None:
    """Programs that several checkouts share are named, and stay."""
    ctx.env["EDDIE_TOOLS"] = str(tmp_path / "shared")
    (tmp_path / "shared").mkdir()
    assert purge.purge(ctx, lambda: None, yes=True) == 0
    assert (tmp_path / "shared").is_dir()
    assert any(f"{tmp_path / 'shared'} stays: EDDIE_TOOLS" in line for line in said)


def test_a_killed_demo_goes_too(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a killed demo left running is ended before its notes go with `.run`."""
    own = demo.throw_away(ctx)
    modes.remember(own.run, "native")
    ended: list[Path] = []
    monkeypatch.setattr(native, "down", lambda stack: ended.append(stack.run))
    monkeypatch.setattr(compose, "unreachable", lambda _: "no engine")
    assert command.remove(ctx, yes=True) == 0
    assert ended == [ctx.run, own.run]
    assert not ctx.run.exists()


class FakeEngine:
    """An engine that holds one volume and one stand-in of project `eddie`, and no containers."""

    def volumes(self, project: str) -> list[str]:
        """Answer the volume."""
        return [f"{project}_prometheus-data"]

    def containers(self) -> list[str]:
        """Answer none: they are gone with `down`."""
        return []

    def sizes(self) -> dict[str, str]:
        """Answer its size."""
        return {"eddie_prometheus-data": "7MB"}

    def standins(self) -> list[str]:
        """Answer the stand-in."""
        return ["eddie-standin/base:bookworm"]

    def image_size(self, _: str) -> str:
        """Answer a size."""
        return "1MB"

    def remove_image(self, _: str) -> None:
        """Remove nothing."""


@pytest.mark.parametrize(
    ("mode", "made", "gone"),
    [
        ("containers", True, {"volume eddie_prometheus-data", "image eddie-standin/base:bookworm"}),
        ("containers", False, {"volume eddie_prometheus-data"}),
        ("native", False, set()),
        (None, False, set()),
    ],
)
def test_another_checkouts_volumes_and_images_stay(
    mode: str | None, *, made: bool, gone: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only who ran in containers removes the project's volumes, only who made stand-ins removes those."""
    said: list[str] = []
    monkeypatch.setattr(compose, "engine", lambda _: FakeEngine())
    monkeypatch.setattr(compose, "images", lambda _: SimpleNamespace(all_names=list))
    ctx = Context(tmp_path, {}, tmp_path / ".run", tmp_path / "secrets", {}, said.append, "eddie")
    if mode:
        modes.remember(ctx.run, mode)
    if made:
        (tmp_path / ".tools/images").mkdir(parents=True)
    assert {item.what for item in purge.items(ctx) if not item.what.endswith("/")} == gone
    assert any("eddie_prometheus-data stay" in line for line in said) is (mode != "containers")
