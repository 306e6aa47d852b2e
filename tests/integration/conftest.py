"""Tests that each wait a minute for engines, and hardly work: their jobs run side by side."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest


@pytest.fixture(scope="module")
def jobs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Any]]]:
    """Run the jobs of the selected tests of a module: its ``JOBS``, a function of a folder for each test's name."""
    chosen = {item.name for item in request.session.items if item.path == request.path}
    offered = request.module.JOBS
    with ThreadPoolExecutor(len(offered)) as pool:
        yield {name: pool.submit(job, tmp_path_factory.mktemp(name)) for name, job in offered.items() if name in chosen}


@pytest.fixture
def outcome(request: pytest.FixtureRequest, jobs: dict[str, Future[Any]]) -> Any:
    """Give what the test's own job returned; what it raised, a skip too, is the test's."""
    return jobs[request.node.name].result(timeout=240)
