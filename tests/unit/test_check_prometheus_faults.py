"""What --check makes of everything that is no answer: one line, no traceback, the right exit code."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.certificates import own
from tests.support.scripted_prometheus import Answer, Said, Scripted, called, healthy, scripted, without_settings


@pytest.fixture
def script() -> Iterator[Scripted]:
    """Give a scripted server that has everything."""
    with scripted() as found:
        yield found


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Said]:
    """Give a function that runs the script, without the caller's settings."""
    without_settings(monkeypatch, tmp_path)
    return lambda *words: called(capsys, *words)


PAGE = b"<!doctype html><title>Log in</title>"
FAULTS: dict[str, tuple[Answer, int, str]] = {
    "page": ((200, "text/html", PAGE), 6, "an HTML page"),
    "broken JSON": ((200, "application/json", b'{"status": "succ'), 6, "half of it"),
    "not its JSON": ((200, "application/json", b'{"database": "ok"}'), 6, "expected Prometheus's API"),
    "list": ((200, "application/json", b"[]"), 6, "expected Prometheus's API"),
    "login": ((302, "http://elsewhere.invalid/login", b""), 6, "elsewhere.invalid"),
    "401": ((401, "text/plain", b"no"), 4, "--bearer-token-file"),
    "403": ((403, "text/html", PAGE), 4, "403"),
    "404": ((404, "text/html", PAGE), 6, "404"),
    "starting": ((503, "text/plain", b"Service Unavailable"), 6, "503"),
    "500": ((500, "application/json", b'{"status":"error","error":"storage\\nbroken"}'), 6, "storage broken"),
    "control": ((502, "text/plain", b"\x1b[31m\x00red"), 6, "502"),
}


@pytest.mark.parametrize("case", FAULTS)
@pytest.mark.parametrize("form", [[], ["--json"]], ids=["lines", "json"])
def test_a_fault_is_one_line(script: Scripted, said: Callable[..., Said], case: str, form: list[str]) -> None:
    """No traceback, the right exit code, what came and what to do, on one line."""
    script.all, code, words = FAULTS[case]
    answer = said("--check", script.url, *form)
    assert (answer.code, answer.error) == (code, "")
    if form:
        assert words in answer.finding("server")["said"]
    else:
        assert len(answer.out.splitlines()) == 1
        assert words in answer.out
        assert answer.out.strip().isprintable()


@pytest.mark.parametrize("path", sorted(healthy().keys() - {"status/buildinfo"}))
@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_in_the_middle_leaves_the_rest(
    script: Scripted, said: Callable[..., Said], path: str, case: str
) -> None:
    """One question that fails is unknown; the others are still answered."""
    script.answers[path] = FAULTS[case][0]
    answer = said("--check", script.url, "--json")
    assert answer.code == 3
    assert {state for _, state in answer.bad} == {"unknown"}
    assert len(json.loads(answer.out)["findings"]) >= 9


def test_nobody_there(said: Callable[..., Said]) -> None:
    """Refused: one line, exit 6."""
    with scripted() as gone:
        url = gone.url
    answer = said("--check", url)
    assert answer.code == 6
    assert "refused" in answer.out


def test_nobody_of_that_name(said: Callable[..., Said]) -> None:
    """A name that does not exist: one line, exit 6."""
    answer = said("--check", "http://nobody.invalid:9090", "--timeout", "5")
    assert answer.code == 6
    assert len(answer.out.splitlines()) == 1


def test_silence_ends_after_the_time_given(script: Scripted, said: Callable[..., Said]) -> None:
    """It does not wait for ever."""
    script.silent = True
    answer = said("--check", script.url, "--timeout", "0.2")
    assert answer.code == 6
    assert "0.2 s" in answer.out


def test_an_answer_that_breaks_off(script: Scripted, said: Callable[..., Said]) -> None:
    """Half of an answer is none."""
    script.cut = True
    answer = said("--check", script.url)
    assert answer.code == 6
    assert "broke off" in answer.out


def test_https_to_what_speaks_http(script: Scripted, said: Callable[..., Said]) -> None:
    """TLS that fails is told as such."""
    answer = said("--check", script.url.replace("http:", "https:"))
    assert answer.code == 6
    assert "TLS failed" in answer.out


def test_a_certificate_of_an_own_authority(said: Callable[..., Said], tmp_path: Path) -> None:
    """Refused with the way out; with --ca-file, trusted."""
    certificate, context = own(tmp_path)
    with scripted(context) as script:
        answer = said("--check", script.url)
        assert answer.code == 6
        assert len(answer.out.splitlines()) == 1
        assert "--ca-file" in answer.out
        assert said("--check", script.url, "--ca-file", str(certificate)).code == 0


def test_credentials_go_only_where_they_were_meant_to_go(
    script: Scripted, said: Callable[..., Said], tmp_path: Path
) -> None:
    """The token and the password are sent, and do not follow a redirect."""
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    assert said("--check", script.url, "--bearer-token-file", str(secret)).code == 0
    assert {sent for _, sent in script.asked} == {"Bearer s3cret"}
    script.asked.clear()
    assert said("--check", script.url, "--user", "u", "--password-file", str(secret)).code == 0
    assert {sent for _, sent in script.asked} == {"Basic dTpzM2NyZXQ="}
    with scripted() as other:
        script.all = (307, f"{other.url}/api/v1/status/buildinfo", b"")
        answer = said("--check", script.url, "--bearer-token-file", str(secret))
        assert (answer.code, other.asked) == (6, [])
        assert "s3cret" not in answer.out


def test_a_proxy_of_the_environment_is_not_asked_about_this_machine(
    script: Scripted, said: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loopback is reached straight; another host through the proxy, whose page is told."""
    with scripted() as proxy:
        proxy.all = (200, "text/html", PAGE)
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        assert said("--check", script.url).code == 0
        assert proxy.asked == []
        answer = said("--check", "http://prometheus.example.org:9090")
        assert answer.code == 6
        assert "an HTML page" in answer.out
        assert proxy.asked
