"""Health: Docker away is said and is no illness; ready is about events alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from docker.errors import DockerException
from tests.support.exporters import app_with, client_of, soon

from eddie_exporter.app import create_app
from eddie_exporter.engine import Engine
from eddie_exporter.settings import Settings


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
async def test_a_healthy_exporter_is_200(path: str) -> None:
    """All three say ok."""
    async with client_of(app_with(environment="lab")) as http:
        answer = await http.get(path)
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


async def test_docker_away_is_said_and_nothing_else() -> None:
    """With the engine away everything is 200, and a field says so."""

    def away() -> Engine:
        raise DockerException("no daemon")

    async with client_of(create_app(Settings(), connect=away), alive=True) as http:

        async def down() -> None:
            assert (await http.get("/health")).json()["docker"] == "down"

        await soon(down, within=5)
        for path in ("/health", "/health/live", "/health/ready"):
            answer = await http.get(path)
            assert (answer.status_code, answer.json()["status"]) == (200, "ok")


async def test_not_ready_when_events_cannot_be_taken(tmp_path: Path) -> None:
    """Without its token file ready is 503 with the time to come back; alive it is all the same."""
    token = tmp_path / "token"
    token.write_text("t")
    async with client_of(app_with(ingest_token_file=token)) as http:
        token.unlink()
        ready = await http.get("/health/ready")
        assert (ready.status_code, ready.headers["retry-after"]) == (503, "5")
        assert str(tmp_path) not in ready.text
        health = await http.get("/health")
        assert (health.status_code, health.json()["status"], health.json()["ready"]) == (200, "degraded", False)
        assert (await http.get("/health/live")).status_code == 200


async def test_a_broken_read_token_file_is_no_obstacle(tmp_path: Path) -> None:
    """Events can be taken whoever may read."""
    token = tmp_path / "token"
    token.write_text("t")
    async with client_of(app_with(read_token_file=token)) as http:
        token.unlink()
        assert (await http.get("/health/ready")).status_code == 200
