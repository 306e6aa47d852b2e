"""Event ids: what makes a second try of a bare event recognisable, so that it counts once."""

from __future__ import annotations

import os
import time

_TIME_BITS, _RANDOM_BITS = 48, 80


def uuid7(milliseconds: int | None = None) -> str:
    """Return a new UUID of version 7 (RFC 9562, section 5.7) in its 36-character form.

    ``milliseconds`` is the event's time since 1970, 0 to 2^48-1; now, where it is not given. The exporter remembers an
    id for 24 h by this time and refuses one that lies 2 h ahead: make the id when the event happens, and keep it
    through every try. Two ids of one millisecond differ by 74 random bits. Raises ValueError for a time outside.
    """
    moment = time.time_ns() // 1_000_000 if milliseconds is None else milliseconds
    if not 0 <= moment < 1 << _TIME_BITS:
        raise ValueError(f"milliseconds: expected 0 to 2^48-1 since 1970, got {moment}; seconds are to be times 1000")
    value = moment << _RANDOM_BITS | int.from_bytes(os.urandom(_RANDOM_BITS // 8))
    # Version and variant stand where the random bits would: 7 in the top of the third group, 10 in that of the fourth.
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0x3 << 62) | 2 << 62
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
