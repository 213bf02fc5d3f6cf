"""Whatever a stranger sends as a form: read or refused, never another error."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.adapters.payloads.forms import PARTS_AT_MOST, BadForm, Part, read_form
from services.ingest.adapters.request import RawRequest

PIECES = st.sampled_from(
    [
        b"--xx",
        b"\r\n",
        b"--",
        b"--xx--",
        b'Content-Disposition: form-data; name="a"',
        b'; filename="f"',
        b"Content-Type: text/plain; charset=",
        b"\r\n\r\n",
        b":",
        b"=&%",
        b"\0",
    ]
)
BODIES = st.lists(PIECES | st.binary(max_size=12), max_size=30).map(b"".join)
TYPES = st.sampled_from(
    [b"multipart/form-data; boundary=xx", b"multipart/form-data", b"x-www-form-urlencoded", b""]
) | st.binary(max_size=60)


@given(BODIES, TYPES)
def test_a_form_of_any_shape_is_read_or_refused(body: bytes, content_type: bytes) -> None:
    with contextlib.suppress(BadForm):
        form = read_form(RawRequest(body, (("content-type", content_type),)))
        for part in form.parts:
            part.text().encode()
        if body.startswith(b"--"):
            assert len(form.parts) <= PARTS_AT_MOST


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=10))
def test_what_a_browser_writes_is_read_back_byte_for_byte(values: list[bytes]) -> None:
    boundary = b"b" * 30
    parts = b"".join(
        b'--%s\r\nContent-Disposition: form-data; name="f%d"\r\n\r\n%s\r\n' % (boundary, number, v)
        for number, v in enumerate(values)
    )
    headers = (("content-type", b"multipart/form-data; boundary=" + boundary),)
    form = read_form(RawRequest(parts + b"--" + boundary + b"--\r\n", headers))
    assert [part.body for part in form.parts] == values


@given(st.binary(max_size=60), st.text(max_size=20))
def test_bytes_in_any_charset_are_some_text(body: bytes, charset: str) -> None:
    Part("a", body, charset=charset).text()
