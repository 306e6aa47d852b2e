"""Fault 21: bodies that are too large, too deep, no numbers, no text, or unpack to too much."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.chaos.process import Exporter, exporter
from tests.support.chaos.reading import get, scrape
from tests.support.chaos.single import post, sealed, timeouts

MEGABYTE = 2**20


def bomb(megabytes: int, *, members: int = 1) -> bytes:
    """Pack blanks so that they unpack to so many megabytes, in one member or several."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    one = b"".join(packer.compress(b" " * MEGABYTE) for _ in range(megabytes // members)) + packer.flush()
    return one * members


def event(value: bytes) -> bytes:
    """Write an array of one event with a value that is none."""
    return b'[{"kind":"chunk-execution","agent_id":"a","seconds":' + value + b"}]"


def envelope(events: bytes, more: bytes = b"") -> bytes:
    """Write an envelope around what may be no events."""
    return b'{"producer":"p","epoch":1,"seq":1,"events":' + events + more + b"}"


MANY_FIELDS = b"," + json.dumps({f"f{number}": 0 for number in range(500_000)}).encode()[1:-1]

BODIES: dict[str, tuple[bytes, dict[str, str], int]] = {
    "10 000 deep": (b"[" * 10_000 + b"]" * 10_000, {}, 422),
    "deep in an event": (event(b"[" * 10_000 + b"]" * 10_000), {}, 422),
    "deep in an envelope": (envelope(b"[]", b',"x":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000), {}, 422),
    "deep in a newer envelope": (envelope(b"[]", b',"contract":2,"x":' + b"[" * 10_000 + b"]" * 10_000), {}, 422),
    "NaN": (event(b"NaN"), {}, 422),
    "bare NaN": (b"NaN", {}, 422),
    "Infinity": (event(b"-Infinity"), {}, 422),
    "1e400": (event(b"1e400"), {}, 422),
    "5000 digits": (event(b"9" * 5000), {}, 422),
    "bad UTF-8": (b'[{"kind":"timeout","agent_id":"\xff\xfe","reason":"r"}]', {}, 422),
    "overlong UTF-8": (b'[{"kind":"timeout","agent_id":"\xc0\x80","reason":"r"}]', {}, 422),
    "raw surrogate": (b'[{"kind":"timeout","agent_id":"\xed\xa0\x80","reason":"r"}]', {}, 422),
    "escaped surrogate": (b'[{"kind":"timeout","agent_id":"\\ud800","reason":"r"}]', {}, 422),
    "zeros": (bytes(7 * MEGABYTE), {}, 422),
    "four million empty lists": (b"[" + b"[]," * (2 * MEGABYTE) + b"[]]", {}, 422),
    "too many events": (b"[" + b",".join([b'{"kind":"fallback-depth-exceeded"}'] * 200_000) + b"]", {}, 413),
    "half a million fields": (envelope(b"[]", b',"contract":2' + MANY_FIELDS), {}, 422),
    "half a million reasons": (envelope(b"[]", b',"dropped":{' + MANY_FIELDS[1:] + b"}"), {}, 422),
    "gzip bomb": (bomb(512), {"content-encoding": "gzip"}, 413),
    "gzip bomb in members": (bomb(512, members=8), {"content-encoding": "gzip"}, 413),
    "many members": (gzip.compress(b"") * 10_000, {"content-encoding": "gzip"}, 422),
    "no gzip": (b"[]", {"content-encoding": "gzip"}, 422),
    "half a gzip": (gzip.compress(b"[" + b" " * 100_000 + b"]")[:-20], {"content-encoding": "gzip"}, 422),
    "twice gzip": (gzip.compress(gzip.compress(b"[]")), {"content-encoding": "gzip, gzip"}, 415),
    "other encoding": (b"[]", {"content-encoding": "br"}, 415),
}


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Exporter]:
    """Answer a running exporter."""
    with exporter(tmp_path) as found:
        yield found


def send(one: Exporter, path: str, body: bytes, headers: dict[str, str]) -> int:
    """Post a body and answer the status."""
    link = http.client.HTTPConnection("127.0.0.1", one.port, timeout=60)
    with contextlib.closing(link):
        link.request("POST", path, body, headers)
        answer = link.getresponse()
        assert answer.getheader("content-type") == "application/json"
        answer.read()
        return answer.status


def stream(one: Exporter, megabytes: int, *, declared: bool) -> int:
    """Send so many megabytes, whatever is said meanwhile, with their length or in chunks; answer the status."""
    link = http.client.HTTPConnection("127.0.0.1", one.port, timeout=60)
    with contextlib.closing(link):
        link.putrequest("POST", "/events")
        if declared:
            link.putheader("content-length", str(megabytes * MEGABYTE))
        else:
            link.putheader("transfer-encoding", "chunked")
        link.endheaders()
        part = b" " * MEGABYTE if declared else b"100000\r\n" + b" " * MEGABYTE + b"\r\n"
        for _ in range(megabytes):
            link.send(part)
        if not declared:
            link.send(b"0\r\n\r\n")
        return link.getresponse().status


def resident(one: Exporter) -> float:
    """Answer the process's memory now, in MiB."""
    pages = int(Path(f"/proc/{one.pid}/statm").read_text().split()[1])
    return pages * 4096 / MEGABYTE


def test_fault_21_odd_bodies_are_refused_in_flat_memory(one: Exporter) -> None:
    """Each is 413, 415 or 422 and never 5xx, counts nothing, and costs no memory that stays."""
    after: list[float] = []
    for _ in range(4):
        for name, (body, headers, expected) in BODIES.items():
            assert send(one, "/events", body, headers) == expected, name
            assert send(one, "/events/timeout", body, headers) in {413, 415, 422}, name
        assert stream(one, 100, declared=True) == 413
        assert stream(one, 100, declared=False) == 413
        after.append(resident(one))
    assert after[-1] - after[0] < 32, f"resident MiB after each round: {after}"
    assert scrape(one.port).total("eddie_events_accepted_total") == 0
    assert get(one.port, "/health/ready")[0] == 200
    assert [line for line in one.said().splitlines() if '"error"' in line] == []


def test_fault_21_what_is_large_but_good_is_taken(one: Exporter) -> None:
    """Negative twin: the largest batch there may be, packed and as it is, is counted by the same process."""
    assert send(one, "/events", BODIES["gzip bomb"][0], {"content-encoding": "gzip"}) == 413
    full = sealed("p", 1, 1, timeouts(10_000, "x" * 128))
    assert post(one.port, full).status == 202
    packed = gzip.compress(sealed("p", 1, 2, timeouts(10_000, "x" * 128)).body)
    assert send(one, "/events", packed, {"content-encoding": "gzip"}) == 202
    assert scrape(one.port).total("timeout_events_total") == 20_000
