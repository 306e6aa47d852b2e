"""The images a stack in containers needs: local, pulled or built, and which one may be missing."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stack.engine import Engine

NEEDED = ("prometheus", "alertmanager", "docker-proxy")
"""Without one of these there is no stack in containers; the exporter's is built. Only Grafana may be missing."""
SOURCES = "eddie.sources"
"""Label of an image of ours: what it was built from."""
BUILT = {"exporter": "server.txt", "board": "board.txt"}
"""Services whose image is built here, each from the folder of its name; and the lock it installs."""


def sources(root: Path, base: str, service: str = "exporter") -> str:
    """Answer a short hash of everything a service's image is made of."""
    folder = root / service
    files = [folder / "Dockerfile", folder / "requirements" / BUILT[service]]
    files += sorted(path for path in (folder / "src").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    digest = hashlib.sha256(base.encode())
    for path in files:
        digest.update(f"\0{path.relative_to(folder)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


class Images:
    """The images of one stack; each is asked for once."""

    def __init__(self, engine: Engine, root: Path, say: Callable[[str], None]) -> None:
        self._engine = engine
        self._root = root
        self._say = say
        self._services: dict[str, dict[str, Any]] | None = None
        self.renewed = False
        """Whether one was built, so that an older one of its name may be left over."""

    def name(self, service: str) -> str:
        """Answer the image's name as compose.yaml and the settings say it."""
        if self._services is None:
            self._services = self._engine.services()
        return str(self._services[service]["image"])

    def all_names(self) -> list[str]:
        """Answer every service's image once, and the one the exporter's is built from."""
        self.name("exporter")
        return sorted({self._base, *(self.name(service) for service in self._services or {})})

    @property
    def _base(self) -> str:
        self.name("exporter")
        return str((self._services or {})["exporter"]["build"]["args"]["PYTHON_IMAGE"])

    def sources(self, service: str) -> str:
        """Answer what a service's own image has to be made of now."""
        return sources(self._root, self._base, service)

    def is_built(self, service: str) -> bool:
        """Say whether a service's local image is made of today's sources."""
        return self._engine.label(self.name(service), SOURCES) == self.sources(service)

    def lacks(self, image: str) -> str | None:
        """Have an image locally, by pulling it if need be; say why that fails, None when it is there."""
        if self._engine.has_image(image):
            return None
        # Said only when it takes its time: where no registry answers, the reason alone is the one line there is.
        patience = threading.Timer(3, self._say, [f"pulling {image}"])
        patience.start()
        try:
            why = self._engine.pull(image)
        finally:
            patience.cancel()
        return None if why is None else f"image {image} is neither here nor can it be pulled ({why})"

    def missing(self) -> str | None:
        """Name the first image that cannot be had, None when all needed ones are there or can be built."""
        needed = [self.name(service) for service in NEEDED]
        if not self.is_built("exporter"):
            needed.append(self._base)
        return next((why for why in map(self.lacks, needed) if why), None)

    def grafana_missing(self) -> str | None:
        """Say why Grafana is left out, None when its image is there."""
        return self.lacks(self.name("grafana"))

    def board_missing(self) -> str | None:
        """Say why the board's image is not there and cannot be built, as far as that is known before building."""
        return None if self.is_built("board") else self.lacks(self._base)
