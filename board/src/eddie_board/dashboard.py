"""Station "dashboard": the JSON that Grafana is provisioned with, as what this page draws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from eddie_board.dashboard_file import read
from eddie_board.dashboard_model import Annotation, Dashboard, Panel, Variable
from eddie_board.errors import DashboardError
from eddie_board.settings import Settings

__all__ = ["Annotation", "Dashboard", "Dashboards", "Panel", "Variable"]


@dataclass(slots=True)
class Dashboards:
    """All dashboards of some folders; files are read again when they changed, so nobody has to start anew.

    The first folder must be there; the others may be missing. Folders in them are looked through, as Grafana does.
    """

    folders: tuple[Path, ...]
    faults: dict[str, str] = field(default_factory=dict)
    """File name to the sentence that says why it cannot be shown; renewed by every look."""
    _read: dict[Path, tuple[tuple[int, int], Dashboard | str]] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> Dashboards:
        """Take the folders of the settings."""
        local = (settings.local_dashboards_path,) if settings.local_dashboards_path else ()
        return cls((settings.dashboards_path, *local))

    def all(self) -> tuple[Dashboard, ...]:
        """Answer all that can be read, in the order of their titles."""
        faults: dict[str, str] = {}
        found: dict[str, Dashboard] = {}
        files = list(self._files(faults))
        for path, stamp in files:
            known = self._read.get(path)
            if known is None or known[0] != stamp:
                known = self._read[path] = (stamp, _read(path))
            read = known[1]
            if isinstance(read, str):
                faults[path.name] = read
            elif read.uid in found:
                faults[path.name] = f"{path.name} has the uid {read.uid} of another dashboard: give it its own"
            else:
                found[read.uid] = read
        for gone in self._read.keys() - {path for path, _ in files}:
            del self._read[gone]
        self.faults = faults
        return tuple(sorted(found.values(), key=lambda each: each.title.casefold()))

    def get(self, uid: str) -> Dashboard | None:
        """Answer the dashboard with this uid, or None."""
        return next((each for each in self.all() if each.uid == uid), None)

    def _files(self, faults: dict[str, str]) -> Iterator[tuple[Path, tuple[int, int]]]:
        for number, folder in enumerate(self.folders):
            if number == 0 and not folder.is_dir():
                faults[folder.name] = (
                    f"expected a folder of dashboards at {folder}, got none: set EDDIE_DASHBOARDS_PATH"
                )
            for path in sorted(folder.rglob("*.json")):
                try:
                    stat = path.stat()
                except OSError as error:  # gone between the two, or a link to nowhere
                    faults[path.name] = f"{path.name} cannot be read: {error.strerror}"
                    continue
                yield path, (stat.st_mtime_ns, stat.st_size)


def _read(path: Path) -> Dashboard | str:
    try:
        return read(path)
    except DashboardError as error:
        return str(error)
