"""Event ids: UUIDs of version 7 that the exporter's decoder takes, ordered by their time."""

from __future__ import annotations

import json
import time
import uuid

import pytest

from eddie_exporter.decode import decode_one
from eddie_metrics.ids import uuid7


@pytest.mark.parametrize("milliseconds", [0, 1, 1_700_000_000_000, 2**48 - 1])
def test_an_id_is_a_uuid_of_version_7_with_its_time_in_front(milliseconds: int) -> None:
    """The first 48 bits are the time, then version 7 and RFC 9562's variant, as Python's own reader sees them."""
    for _ in range(64):
        made = uuid.UUID(uuid7(milliseconds))
        assert made.int >> 80 == milliseconds
        assert (made.version, made.variant) == (7, uuid.RFC_4122)


def test_it_is_written_in_the_form_the_exporter_takes() -> None:
    """36 characters, small letters; the decoder of events takes it as it is."""
    made = uuid7()
    assert made == str(uuid.UUID(made))
    assert decode_one("timeout", json.dumps({"id": made, "agent_id": "a", "reason": "r"}).encode()).id == made


def test_without_a_time_it_is_now() -> None:
    """The clock's milliseconds, so that the exporter's window of 24 h holds it."""
    before = time.time_ns() // 1_000_000
    moment = uuid.UUID(uuid7()).int >> 80
    assert before <= moment <= time.time_ns() // 1_000_000


def test_ids_of_one_millisecond_differ_and_later_ones_sort_behind() -> None:
    """Two events of one moment are two events; text order is time order."""
    made = {uuid7(1_000) for _ in range(10_000)}
    assert len(made) == 10_000
    assert max(made) < uuid7(1_001)


@pytest.mark.parametrize("milliseconds", [-1, 2**48, 1_700_000_000 * 10**9])
def test_a_time_that_does_not_fit_is_refused(milliseconds: int) -> None:
    """Negative twin: nanoseconds by mistake would be an id of the far future, so they are named."""
    with pytest.raises(ValueError, match="expected 0 to 2\\^48-1"):
        uuid7(milliseconds)
