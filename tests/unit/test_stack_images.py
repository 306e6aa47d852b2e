from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.support.programs import ROOT

from stack.engine import Engine
from stack.images import Images, sources

SERVICES: dict[str, dict[str, Any]] = {
    "exporter": {"image": "exporter", "build": {"args": {"PYTHON_IMAGE": "base"}}},
    "prometheus": {"image": "prometheus"},
    "alertmanager": {"image": "alertmanager"},
    "grafana": {"image": "grafana"},
    "docker-proxy": {"image": "proxy"},
    "board": {"image": "board"},
}


class FakeEngine(Engine):
    """An engine with some images, and a registry with some more."""

    def __init__(self, local: set[str], registry: set[str], built: str = "") -> None:
        super().__init__(Path(), {})
        self.local, self.registry, self.built = local, registry, built

    def services(self) -> dict[str, dict[str, Any]]:
        """Answer the services above."""
        return SERVICES

    def has_image(self, image: str) -> bool:
        """Look among the local ones."""
        return image in self.local

    def pull(self, image: str) -> str | None:
        """Fetch from the registry, or say that it has none."""
        if image not in self.registry:
            return "no such host"
        self.local.add(image)
        return None

    def label(self, image: str, name: str) -> str:  # noqa: ARG002 - the engine is asked so
        """Answer what the exporter's image was built from."""
        return self.built


def images(local: str = "", registry: str = "", *, built: bool = False) -> Images:
    """Answer the images of a stack on such an engine."""
    engine = FakeEngine(set(local.split()), set(registry.split()), sources(ROOT, "base") if built else "other")
    return Images(engine, ROOT, print)


def test_local_images_need_no_registry() -> None:
    """Where all needed ones are local nothing is missing, though no registry answers."""
    assert images("base prometheus alertmanager proxy").missing() is None


def test_missing_ones_are_pulled() -> None:
    """What a registry has is fetched."""
    assert images("", "base prometheus alertmanager proxy").missing() is None


@pytest.mark.parametrize("lacking", ["base", "prometheus", "alertmanager", "proxy"])
def test_one_that_cannot_be_had_is_named(lacking: str) -> None:
    """The first image that is neither local nor in a registry is the reason there are no containers."""
    have = " ".join({"base", "prometheus", "alertmanager", "proxy"} - {lacking})
    assert images(have).missing() == f"image {lacking} is neither here nor can it be pulled (no such host)"


def test_a_built_exporter_needs_no_base() -> None:
    """Where the exporter's image is up to date its base may be gone."""
    assert images("prometheus alertmanager proxy", built=True).missing() is None


def test_grafana_alone_may_be_missing() -> None:
    """Without Grafana nothing is missing; that it is left out is said apart."""
    some = images("base prometheus alertmanager proxy")
    assert some.missing() is None
    assert some.grafana_missing() == "image grafana is neither here nor can it be pulled (no such host)"
    assert images("grafana").grafana_missing() is None


def test_the_board_needs_a_base_only_to_be_built() -> None:
    """Its image is missing when it is not of today's sources and its base cannot be had; no other image counts."""
    assert images("base").board_missing() is None
    assert images("prometheus").board_missing() == "image base is neither here nor can it be pulled (no such host)"
    engine = FakeEngine(set(), set(), sources(ROOT, "base", "board"))
    assert Images(engine, ROOT, print).board_missing() is None


def test_images_of_ours_are_made_of_different_things() -> None:
    """The exporter's image is no proof that the board's is made of today's sources."""
    some = images("base", built=True)
    assert some.is_built("exporter")
    assert not some.is_built("board")


@pytest.mark.parametrize(
    ("service", "lock", "package"), [("exporter", "server", "eddie_exporter"), ("board", "board", "eddie_board")]
)
def test_the_hash_follows_what_the_image_is_made_of(service: str, lock: str, package: str, tmp_path: Path) -> None:
    """Source, lock, recipe and base change it; compiled files do not."""
    shutil.copytree(ROOT / service, tmp_path / service, ignore=shutil.ignore_patterns("__pycache__"))
    before = sources(tmp_path, "base", service)
    cache = tmp_path / service / "src" / package / "__pycache__"
    cache.mkdir()
    (cache / "app.pyc").write_bytes(b"x")
    assert sources(tmp_path, "base", service) == before
    assert sources(tmp_path, "other", service) != before
    for name in ("Dockerfile", f"requirements/{lock}.txt", f"src/{package}/__init__.py"):
        file = tmp_path / service / name
        text = file.read_text()
        file.write_text(text + "\n# changed\n")
        assert sources(tmp_path, "base", service) != before, name
        file.write_text(text)
