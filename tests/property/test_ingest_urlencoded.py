"""Forms read in C mean what the standard library says they mean."""

import time
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain import limits
from services.ingest.domain.urlencoded import TooManyFields, form_fields, form_pairs

ESCAPES = (b"%", b"%4", b"%41", b"%zz", b"%3D", b"%3d", b"%26", b"%25", b"%0A", b"%C3%A9", b"%FF")
OTHERS = (b"=", b"=41", b"==", b"=\n", b"=\r\n", b"\n", b"&", b"+", b"_", b" \n", b"a", b"\xff")
PIECES = st.sampled_from(ESCAPES + OTHERS)
FORMS = st.one_of(st.lists(PIECES, max_size=30).map(b"".join), st.binary(max_size=60))
MIB = 1024 * 1024


def by_the_standard_library(body: bytes) -> list[tuple[bytes, bytes]]:
    pairs = parse_qsl(
        body.decode("utf-8", "surrogateescape"), keep_blank_values=True, errors="surrogateescape"
    )
    return [
        (name.encode("utf-8", "surrogateescape"), value.encode("utf-8", "surrogateescape"))
        for name, value in pairs
    ]


@given(FORMS)
def test_a_form_has_the_fields_that_the_standard_library_finds(body: bytes) -> None:
    assert form_fields(body) == by_the_standard_library(body)


@given(st.text(alphabet="abé%41+=&\u20ac", max_size=40))
def test_text_in_a_query_is_read_like_text_in_a_body(query: str) -> None:
    expected = parse_qsl(query, keep_blank_values=True, errors="surrogateescape")
    assert form_pairs(query) == expected


def test_too_many_fields_are_refused_before_they_are_read() -> None:
    assert len(form_fields(b"&".join([b"a=1"] * limits.FORM_FIELDS))) == limits.FORM_FIELDS
    with pytest.raises(TooManyFields):
        form_fields(b"&".join([b"a=1"] * (limits.FORM_FIELDS + 1)))


@pytest.mark.parametrize("escape", [b"%41", b"%C3", b"%zz", b"=", b"%", b"+"])
def test_twice_as_many_escapes_take_about_twice_as_long(escape: bytes) -> None:
    def seconds(size: int) -> float:
        body = b"a=" + escape * (size // len(escape))
        tries = []
        for _ in range(3):
            started = time.process_time()
            form_fields(body)
            tries.append(time.process_time() - started)
        return min(tries)

    assert seconds(4 * MIB) < 8 * max(seconds(2 * MIB), 0.01)
