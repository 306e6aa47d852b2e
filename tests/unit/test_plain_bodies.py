"""Station intake: a body that is not looked at string by string is one whose strings cannot be wrong."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eddie_exporter import decode
from eddie_exporter.errors import ContractError

# Whatever is near a bound of the pattern, and whatever has an escape of its own in JSON.
NEAR = st.sampled_from([*map(chr, (*range(0x22), *range(0x7E, 0xA2), 0x5C, 0x2F, 0xD7FF, 0xE000)), "_", "__", '"', "x"])
TEXTS = st.lists(NEAR | st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).map("".join)


def verdict(body: bytes, *, strictly: bool) -> str:
    """Answer what becomes of a body: the refusal's words, or `taken`."""
    with pytest.MonkeyPatch.context() as patch:
        if strictly:
            patch.setattr(decode, "is_plain", lambda _: False)
        try:
            decode.decode_array(body)
        except ContractError as error:
            return str(error)
    return "taken"


def written(text: str, *, escaped: bool) -> bytes:
    """Write an event with a text as a sender would: escaped to ASCII, or as it is."""
    event = {"kind": "agent-hello", "agent_id": text, "stages": ["plan", text]}
    return json.dumps([{"kind": "fallback-depth-exceeded"}, event], ensure_ascii=escaped).encode()


@settings(max_examples=1000, deadline=None)
@given(TEXTS, st.booleans())
@example("\x80", False)
@example("\x9f", False)
@example("\x7f", False)
@example("__x", False)
def test_the_short_way_decides_as_the_long_one(text: str, escaped: bool) -> None:
    """Whatever a text is and however it is written, it is taken or refused as if every string had been looked at."""
    body = written(text, escaped=escaped)
    assert verdict(body, strictly=False) == verdict(body, strictly=True)


@settings(max_examples=1000, deadline=None)
@given(st.binary(min_size=1, max_size=12))
@example(b"\xed\xa0\x80")
@example(b"\xc0\x85")
@example(b"\xe0\x82\x85")
@example(b"\x00")
@example(b"\x1f")
def test_raw_bytes_find_no_way_past_it(noise: bytes) -> None:
    """Bytes of any kind inside a string, overlong or half characters too, are decided alike on both ways."""
    body = b'[{"kind":"agent-hello","agent_id":"' + noise + b'"}]'
    assert verdict(body, strictly=False) == verdict(body, strictly=True)


@pytest.mark.parametrize("text", ["a1", "Zürich", "名前", "𝕏", "a_b", "a__b", "x" * 128, "\u2028"])
def test_common_texts_take_the_short_way(text: str) -> None:
    """Negative twin: what agents usually send is not looked at string by string."""
    assert decode.is_plain(written(text, escaped=False))


@pytest.mark.parametrize("text", ["a\\b", "a\nb", "a\x7f", "a\x85", "a\xa0", "__a", '"'])
def test_doubtful_texts_take_the_long_one(text: str) -> None:
    """Whatever could be wrong is looked at, right or wrong."""
    assert not decode.is_plain(written(text, escaped=False))
