"""Forms read in C mean what the standard library says they mean."""

import contextlib
import time
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.adapters.request import RawRequest, SignatureRefused
from services.ingest.adapters.schemes.mailgun import proof_of
from services.ingest.domain import limits
from services.ingest.domain.urlencoded import _PIECE, UnreadableForm, form_fields, form_pairs

ESCAPES = (b"%", b"%4", b"%41", b"%zz", b"%3D", b"%3d", b"%26", b"%25", b"%0A", b"%C3%A9", b"%FF")
OTHERS = (b"=", b"=41", b"==", b"=\n", b"=\r\n", b"\n", b"&", b"+", b"_", b" \n", b"a", b"\xff")
PIECES = st.sampled_from(ESCAPES + OTHERS)
FORMS = st.one_of(st.lists(PIECES, max_size=30).map(b"".join), st.binary(max_size=60))
FORM = "application/x-www-form-urlencoded"


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
    with pytest.raises(UnreadableForm):
        form_fields(b"&".join([b"a=1"] * (limits.FORM_FIELDS + 1)))


@pytest.mark.parametrize("at", range(_PIECE - 4, _PIECE + 4))
@pytest.mark.parametrize("escape", [b"%C3%A9", b"%", b"%zz", b"%%41"])
def test_no_escape_is_cut_in_two(at: int, escape: bytes) -> None:
    value = b"x" * at + escape + b"=y" * 9
    assert form_fields(b"a=" + value) == by_the_standard_library(b"a=" + value)


def test_a_field_with_nothing_but_broken_escapes_is_refused() -> None:
    assert form_fields(b"a=" + b"%" * 1_000) == [(b"a", b"%" * 1_000)]
    with pytest.raises(UnreadableForm):
        form_fields(b"a=" + b"%" * 1_001)


def test_only_the_fields_that_are_asked_for_are_decoded() -> None:
    body = b"to%6Ben=abc&body=" + b"%" * 2_000 + b"&token=d"
    assert form_fields(body, {b"token"}) == [(b"token", b"abc"), (b"token", b"d")]


UNITS = (b"%", b"%41", b"%zz", b"%4", b"=", b"+", b"&", b"a=1&", b"&%", b"%26", b"{", b"\\u0041")


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("begin", [b"", b"body-plain=", b"timestamp=1&token=", b'{"a":"'])
def test_looking_for_a_proof_in_the_largest_body_takes_no_time(unit: bytes, begin: bytes) -> None:
    body = begin + unit * ((limits.MAIL - len(begin)) // len(unit))
    asked = RawRequest(body, (("content-type", FORM.encode()),))
    tries = []
    for _ in range(3):
        started = time.process_time()
        with contextlib.suppress(SignatureRefused):
            proof_of(asked)
        tries.append(time.process_time() - started)
    assert min(tries) < 0.25
