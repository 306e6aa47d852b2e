"""docs/integration.md and other-languages.md: each block is run against a real exporter, and its events counted."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.documents import Block, blocks
from tests.support.eventually import eventually
from tests.support.exporters import Running, get, running
from tests.support.programs import ROOT

from eddie_metrics.events import KINDS
from fleet.web import ask

PYTHON = blocks("integration.md", "python", "sh")
OTHERS = blocks("other-languages.md", "sh", "ts")
AGENT = "planner-1"
TOKEN = "documented-token"

COUNTED: dict[str, dict[str, int]] = {
    "Three lines": {"timeout": 1},
    "Three lines (2)": {"timeout": 1},  # the line to look with comes after another event
    "A whole task": {"task-started": 1, "task-finished": 1},
    "A whole task (2)": {"task-started": 2, "task-finished": 2},
    "A timeout, a split, chunks, a merge": {
        "task-started": 1,
        "timeout": 1,
        "task-split": 1,
        "chunk-started": 2,
        "chunk-execution": 2,
        "merge-deduplication": 1,
        "task-finished": 1,
    },
    "asyncio": {"task-started": 1, "task-finished": 1},
    "What is lost, and what is not": {"timeout": 1},
    "Forks": {"timeout": 2},
    "Test your agent": {},
    "Without an exporter: your own /metrics": {},
    "curl": {"timeout": 1},
    "curl (2)": {"timeout": 1, "task-split": 1},
    "Shell": {"timeout": 1},
    "TypeScript": {"timeout": 1},
    "Exactly once, for a sender with a memory": {"timeout": 1},
}
"""Events each block makes the exporter count."""


@pytest.fixture(scope="module")
def running_exporter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give an exporter with a store that asks for a token, for all tests."""
    folder = tmp_path_factory.mktemp("exporter")
    (folder / "store").mkdir()
    (folder / "token").write_text(f"{TOKEN}\n")
    with running(
        folder, EDDIE_DATA_DIR=str(folder / "store"), EDDIE_INGEST_TOKEN_FILE=str(folder / "token")
    ) as started:
        yield started


ACCEPTED, DUPLICATE = "eddie_events_accepted_total", "eddie_events_duplicate_total"


class Exporter:
    """An exporter as one test sees it: what was counted before it began is none of its business."""

    def __init__(self, exporter: Running) -> None:
        self.url = exporter.url
        self._before = {name: self._read(name) for name in (ACCEPTED, DUPLICATE)}

    def _read(self, name: str) -> Counter[str]:
        text = get(f"{self.url}/metrics/prometheus")
        found = re.findall(rf"^{name}(?:\{{\w+=\"([^\"]*)\"\}})? (\S+)$", text, re.MULTILINE)
        return Counter({label: int(float(value)) for label, value in found})

    def counted(self, name: str = ACCEPTED) -> Counter[str]:
        """Answer what was counted since, by the first label, without zeros."""
        return self._read(name) - self._before[name]


@pytest.fixture
def exporter(running_exporter: Running, tmp_path: Path) -> Exporter:
    """Give the exporter with its counts at zero, and its token beside what the test runs."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    return Exporter(running_exporter)


def command(block: Block, folder: Path) -> list[str]:
    """Answer how to run a block, or skip with what is not here."""
    file = folder / f"block.{'mjs' if block.language == 'ts' else block.language}"
    file.write_text(block.text)
    if block.language == "python":
        return [sys.executable, "-W", "error", str(file)]
    if block.language == "sh":
        return ["sh", "-eu", str(file)]
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on this machine: the page's TypeScript is not run")
    return [node, str(file)]


def ran(block: Block, folder: Path, url: str) -> str:
    """Run a block as its reader would, with the settings of the page's first block, and answer what it printed."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("EDDIE_")}
    settings = {"EDDIE_URL": url, "EDDIE_TOKEN_FILE": str(folder / "token"), "EDDIE_AGENT_ID": AGENT}
    around = {**clean, **settings, "PYTHONPATH": str(ROOT / "exporter/src"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command(block, folder), env=around, cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr or "http.server" in block.text, done.stderr
    return done.stdout


@pytest.mark.parametrize("block", [*PYTHON, *OTHERS], ids=lambda block: block.name)
def test_block_runs_and_counts_what_it_says(block: Block, exporter: Exporter, tmp_path: Path) -> None:
    """Typed as it stands there, a block ends well, says nothing on standard error, and its events are counted, once."""
    if "grep" in block.text:
        body = json.dumps({"agent_id": AGENT, "reason": "deadline"}).encode()
        assert ask(f"{exporter.url}/events/timeout", body, headers={"Authorization": f"Bearer {TOKEN}"}).status == 202
    said = ran(block, tmp_path, exporter.url)
    eventually(lambda: _same(exporter.counted(), COUNTED[block.name]), within=10)
    if "grep" in block.text:
        assert f'timeout_events_total{{agent_id="{AGENT}",reason="deadline"}} ' in said


def _same(found: Counter[str], expected: dict[str, int]) -> None:
    assert found == expected


def test_every_block_is_run() -> None:
    """Each block of the two pages says what it counts; what is only to be typed once (`console`) is not run."""
    assert {block.name for block in [*PYTHON, *OTHERS]} == set(COUNTED)
    pages = [(ROOT / "docs" / name).read_text() for name in ("integration.md", "other-languages.md")]
    assert {language for page in pages for language in re.findall(r"^```(\w+)$", page, re.MULTILINE)} == {
        "console",
        "python",
        "sh",
        "ts",
    }


def test_a_block_with_a_mistake_is_noticed(exporter: Exporter, tmp_path: Path) -> None:
    """Negative twin: with a field that is not in the contract, a block says so, or counts nothing."""
    block = PYTHON[0]
    wrong = Block(block.heading, 1, "python", block.text.replace("reason=", "why="))
    assert wrong != block
    with pytest.raises(AssertionError, match="reason"):
        ran(wrong, tmp_path, exporter.url)
    assert not exporter.counted()


KILLED = """
import os
import signal

os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(text: str, folder: Path, url: str) -> None:
    """Run a block, and kill it as soon as its last call has returned."""
    with pytest.raises(AssertionError):
        ran(Block("killed", 1, "python", text + KILLED), folder, url)


def test_the_page_is_right_about_kill_9(exporter: Exporter, tmp_path: Path) -> None:
    """With the page's outbox, what was recorded before a SIGKILL is counted once by the next process; without, lost."""
    (with_outbox,) = [block.text for block in PYTHON if "outbox=" in block.text]
    killed(PYTHON[0].text, tmp_path, exporter.url)
    for _ in range(3):
        killed(with_outbox, tmp_path, exporter.url)
    ran(Block("next", 1, "python", with_outbox), tmp_path, exporter.url)
    eventually(lambda: _same(exporter.counted(), {"timeout": 4}), within=20)


class Swallowing(socketserver.ThreadingTCPServer):
    """Passes each request on to the exporter, and keeps the first answer for itself: the sender never sees it."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, url: str) -> None:
        self.target = ("127.0.0.1", int(url.rsplit(":", 1)[1]))
        self.swallowed = 0
        self.requests = 0
        super().__init__(("127.0.0.1", 0), _Swallow)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self) -> str:
        """Return the address for a sender."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Swallow(socketserver.BaseRequestHandler):
    server: Swallowing

    def handle(self) -> None:
        with socket.create_connection(self.server.target) as exporter:
            request = self.request.recv(65536)
            while b"\r\n\r\n" not in request or len(request) < _whole(request):
                request += self.request.recv(65536)
            self.server.requests += 1
            kept = re.sub(rb"(?i)\r\nconnection: [^\r]*", b"", request)
            exporter.sendall(kept.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            answer = b"".join(iter(lambda: exporter.recv(65536), b""))
            if self.server.swallowed == 0:
                self.server.swallowed += 1
                return
            self.request.sendall(answer)


def _whole(request: bytes) -> int:
    head, _, _ = request.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return len(head) + 4 + (int(length[1]) if length else 0)


@pytest.mark.parametrize("name", ["Shell", "TypeScript"])
def test_a_retry_counts_once(name: str, exporter: Exporter, tmp_path: Path) -> None:
    """The exporter counts, its answer gets lost, the sender tries again: by its id the event is counted once."""
    (block,) = [block for block in OTHERS if block.name == name]
    with Swallowing(exporter.url) as between:
        clean = ran_without_words(block, tmp_path, between.url)
        assert between.requests == 2, clean
        between.shutdown()
    assert exporter.counted() == {"timeout": 1}
    assert exporter.counted(DUPLICATE).total() == 1


def test_a_retry_without_an_id_counts_twice(exporter: Exporter, tmp_path: Path) -> None:
    """Negative twin: it is the id that does it, as the page says."""
    (block,) = [block for block in OTHERS if block.name == "Shell"]
    bare = Block("bare", 1, "sh", block.text.replace(r"\"id\": \"$(uuid7)\", ", ""))
    assert bare.text != block.text
    with Swallowing(exporter.url) as between:
        ran_without_words(bare, tmp_path, between.url)
        between.shutdown()
    assert exporter.counted() == {"timeout": 2}


def ran_without_words(block: Block, folder: Path, url: str) -> str:
    """Run a block that has something to say: curl tells of a try that failed."""
    try:
        return ran(block, folder, url)
    except AssertionError as error:
        if "curl: (52)" not in str(error):
            raise
        return str(error)


ROWS = re.findall(r"^\| `([a-z-]+)` \| `(\{.*?\})` \|", (ROOT / "docs/other-languages.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize(("kind", "example"), ROWS, ids=lambda text: text if text in KINDS else "")
def test_example_of_each_kind_is_taken(kind: str, example: str, exporter: Exporter) -> None:
    """The table's examples are events that the exporter counts."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = ask(f"{exporter.url}/events/{kind}", example.encode(), headers=headers)
    assert (answer.status, exporter.counted()) == (202, {kind: 1}), answer.text


def test_the_table_has_every_kind() -> None:
    """No kind is missing, none is made up."""
    assert sorted(kind for kind, _ in ROWS) == sorted(KINDS)


def test_links_lead_somewhere() -> None:
    """Each relative link of the four pages names a file that is there, and a heading that is in it."""
    for name in ("integration.md", "other-languages.md", "cookbook.md"):
        page = ROOT / "docs" / name
        for target in re.findall(r"\]\((?!http)([^)]+)\)", page.read_text()):
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            assert file.exists(), target
            if anchor:
                headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
                assert anchor in {re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings}
