"""HTML forms: read as browsers write them, refused beyond their bounds."""

import pytest

from services.ingest.adapters.payloads.forms import BadForm, Form, read_form, with_fields
from services.ingest.adapters.request import RawRequest

HEAD = b'--xx\r\nContent-Disposition: form-data; name="a"\r\n\r\n'
END = b"\r\n--xx--\r\n"
DISPOSITION = b"Content-Disposition: form-data; name="


def multipart(body: bytes, content_type: bytes = b"multipart/form-data; boundary=xx") -> Form:
    return read_form(RawRequest(body, (("content-type", content_type),)))


def field(name: bytes, value: bytes = b"v", more: bytes = b"") -> bytes:
    return b"--xx\r\n" + DISPOSITION + b'"' + name + b'"' + more + b"\r\n\r\n" + value + b"\r\n"


def test_fields_and_files_are_read_in_order() -> None:
    form = multipart(
        field(b"ime", "Žiga".encode())
        + field(b"ime", b"again")
        + field(b"f", b"\0\x01", '; filename="č.pdf"\r\nContent-Type: Application/PDF'.encode())
        + b"--xx--"
    )
    assert [part.name for part in form.parts] == ["ime", "ime", "f"]
    assert form.text("ime") == "Žiga"
    (file,) = form.files()
    assert (file.file_name, file.media_type, file.body) == ("č.pdf", "application/pdf", b"\0\x01")


def test_a_boundary_lost_with_the_headers_is_found_in_the_first_line() -> None:
    assert read_form(RawRequest(HEAD + b"v" + END)).text("a") == "v"


def test_a_field_is_read_in_the_charset_it_names() -> None:
    body = field(
        b"a", "čaj".encode("iso-8859-2"), b"\r\nContent-Type: text/plain; charset=iso-8859-2"
    )
    assert multipart(body + b"--xx--").text("a") == "čaj"


def test_an_unknown_or_dangerous_charset_is_read_as_utf_8() -> None:
    for name in (b"idna", b"undefined", b"nonsense", b"\xff"):
        body = field(b"a", "č".encode(), b"\r\nContent-Type: text/plain; charset=" + name)
        assert multipart(body + b"--xx--").text("a") == "č"


def test_an_urlencoded_form_keeps_order_blanks_and_doubles() -> None:
    form = read_form(RawRequest(b"a=1&b=&a=2&c=%C4%8D+d", (("content-type", b"x"),)))
    assert [(part.name, part.text()) for part in form.parts] == [
        ("a", "1"),
        ("b", ""),
        ("a", "2"),
        ("c", "č d"),
    ]
    assert (form.text("b"), form.text("nothing"), form.json("a"), form.json("c")) == (
        None,
        None,
        1,
        None,
    )


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "form: ends early"),
        (b"--\r\n", "form: no boundary"),
        (b"nonsense", "form: multipart"),
        (HEAD + b"v", "form: ends early"),
        (HEAD + b"v\r\n--xx\r\n", "form: ends early"),
        (field(b"a") * 51 + b"--xx--", "form: too many parts"),
        (HEAD + b"v" + b"\r\n--xx" * 100, "form: too many parts"),
        (b"--xx\r\nX: y\r\n\r\nv" + END, "form: a part has no name"),
        (b"--xx\r\n\r\nv" + END, "form: a part has no name"),
        (field(b"") + b"--xx--", "form: a part has no name"),
        (field(b"a" * 256) + b"--xx--", "form: content-disposition"),
        (
            b"--xx\r\nContent-Disposition: attachment; name=a\r\n\r\n" + END,
            "form: content-disposition",
        ),
        (field(b"a", b"v", b"\r\nX: y" * 8) + b"--xx--", "form: multipart"),
        (field(b"a", b"v", b"\r\nX: " + b"y" * 2_100) + b"--xx--", "form: multipart"),
        (b"--xx\r\n" + b"X" * 3_000, "form: multipart"),
    ],
)
def test_a_form_beyond_a_bound_is_refused(body: bytes, error: str) -> None:
    content_type = b"" if body == b"--\r\n" else b"multipart/form-data; boundary=xx"
    with pytest.raises(BadForm) as refused:
        multipart(body, content_type)
    assert refused.value.error == error


@pytest.mark.parametrize("boundary", [b"", b'"' + b"x" * 71 + b'"', b'"a\tb"', b"\xff", b'"a "'])
def test_a_boundary_that_is_none_is_refused(boundary: bytes) -> None:
    with pytest.raises(BadForm):
        multipart(HEAD + b"v" + END, b"multipart/form-data; boundary=" + boundary)


def test_an_urlencoded_form_of_too_many_fields_is_refused() -> None:
    with pytest.raises(BadForm):
        read_form(RawRequest(b"a=1&" * 1_001))


def test_fields_are_set_in_either_kind_of_form_and_nothing_else_changes() -> None:
    body = field(b"a", b"old") + field(b"f", b"\0", b'; filename="f"') + b"--xx--"
    for given in (RawRequest(body), RawRequest(b"a=old&f=%00")):
        form = read_form(with_fields(given, {"a": "new", "b": "more"}))
        assert sorted((part.name, part.body) for part in form.parts) == [
            ("a", b"new"),
            ("b", b"more"),
            ("f", b"\0"),
        ]


def test_nothing_of_a_bad_form_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(BadForm):
        multipart(b"--xx\r\nna me: x\r\n\r\n" + END)
    assert caplog.records == []
