"""The wheel, as somebody installs it: the client needs nothing, and the command says what the exporter needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from tests.support.eventually import eventually
from tests.support.exporters import get, running

PROJECT = Path(__file__).parents[2] / "exporter"
FOREIGN = """
import json, sys
before = set(sys.modules)
import eddie_metrics
roots = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps([eddie_metrics.__file__, sorted(roots - sys.stdlib_module_names)]))
"""
SEND = """
import sys
from eddie_metrics import Client
with Client(sys.argv[1], agent_id="wheel") as client:
    with client.task("t1", stage="plan"):
        pass
    print(client.flush(20), client.dropped())
"""


def run(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in ``folder`` with nothing of this checkout on its path."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("EDDIE_", "PYTHON"))}
    return subprocess.run(
        [str(one) for one in command],
        cwd=folder,
        env=clean,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel with the build tool of the lock; nothing is fetched."""
    folder = tmp_path_factory.mktemp("wheel")
    built = run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", folder, PROJECT, folder=folder)
    assert built.returncode == 0, built.stdout + built.stderr
    (found,) = folder.glob("eddie_metrics-*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install it, without an index, into a new environment; answer that one's folder of programs."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    programs = folder / "venv" / "bin"
    pip = (sys.executable, "-m", "pip", "--python", programs / "python", "install", "--quiet", "--no-index")
    done = run(*pip, "--disable-pip-version-check", wheel, folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return programs


def test_the_wheel_has_both_packages_and_their_types(wheel: Path) -> None:
    """`py.typed` is inside, so is what the exporter reads beside its code; tests are not."""
    with zipfile.ZipFile(wheel) as content:
        names = set(content.namelist())
    assert {"eddie_metrics/py.typed", "eddie_metrics/client.py", "eddie_exporter/pages.css"} <= names
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"eddie_metrics", "eddie_exporter"}
    sources = {str(path.relative_to(PROJECT / "src")) for path in (PROJECT / "src").glob("eddie_*/*.py")}
    assert sources <= names


def test_the_wheel_asks_for_nothing_without_the_extra(wheel: Path) -> None:
    """Every requirement is the extra's."""
    with zipfile.ZipFile(wheel) as content:
        (name,) = (one for one in content.namelist() if one.endswith(".dist-info/METADATA"))
        said = content.read(name).decode("utf-8")
    asked = [line for line in said.splitlines() if line.startswith("Requires-Dist:")]
    assert asked
    assert all("extra == 'server'" in line for line in asked)


def test_the_client_imports_nothing_of_others(installed: Path, tmp_path: Path) -> None:
    """Isolated, in an environment that has the wheel alone: the standard library, and itself."""
    done = run(installed / "python", "-I", "-c", FOREIGN, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    place, foreign = json.loads(done.stdout)
    assert Path(place).is_relative_to(installed.parent)
    assert foreign == ["eddie_metrics"]


def test_an_event_of_the_installed_client_is_counted(installed: Path, tmp_path: Path) -> None:
    """Sent from there to a real exporter, once."""
    with running(tmp_path) as exporter:
        done = run(installed / "python", "-I", "-c", SEND, exporter.url, folder=tmp_path)
        assert (done.returncode, done.stdout) == (0, "True {}\n"), done.stderr

        def counted() -> None:
            assert 'task_success_total{stage="plan"} 1.0' in get(f"{exporter.url}/metrics")

        eventually(counted, within=10)


def test_the_command_says_what_is_missing(installed: Path, tmp_path: Path) -> None:
    """Without the extra: help is help, a start is one line and 78, and neither is a traceback."""
    helped = run(installed / "eddie-exporter", "--help", folder=tmp_path)
    assert helped.returncode == 0, helped.stderr
    assert "eddie-metrics[server]" in "".join(helped.stdout.split())
    for arguments in ((), ("--check-config",)):
        done = run(installed / "eddie-exporter", *arguments, folder=tmp_path)
        assert (done.returncode, done.stderr.count("\n")) == (78, 1), done.stderr
        assert "fastapi" in done.stderr
        assert "pip install 'eddie-metrics[server]'" in done.stderr
