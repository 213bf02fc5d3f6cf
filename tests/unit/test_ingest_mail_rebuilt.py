"""A mail made whole again: every header, text and file that a provider gave, and nothing more."""

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.adapters.mail.headers import addresses, header
from services.ingest.adapters.mail.parts import content_of
from services.ingest.adapters.mail.rebuilt import MailFile, address, rebuilt_mail
from services.ingest.adapters.mail.source import read_mail


def test_texts_and_files_come_back_as_they_were() -> None:
    files = [MailFile("č.pdf", "application/pdf; x=y", b"\0\1"), MailFile(None, "nonsense", b"2")]
    said = content_of(read_mail(rebuilt_mail([], "besedilo č", "<p>č</p>", files)))
    assert (said.text().strip(), said.rich) == ("besedilo č", "<p>č</p>")
    assert [(leaf.name, leaf.media_type, leaf.body) for leaf in said.files] == [
        ("č.pdf", "application/pdf", b"\0\1"),
        (None, "application/octet-stream", b"2"),
    ]


def test_long_headers_are_folded_and_none_can_begin_another() -> None:
    ids = " ".join(f"<{number}@mail.example.com>" for number in range(80))
    mail = read_mail(
        rebuilt_mail([("References", ids), ("Subject", "a\r\nBcc: x"), ("bad name", "x")], "", None)
    )
    assert header(mail, "references", 10_000) == ids
    assert header(mail, "subject") == "a Bcc: x"
    assert mail.keys() == ["References", "Subject", "MIME-Version", "Content-Type"]


def test_a_forwarded_mail_cannot_end_its_part() -> None:
    inner = b"Subject: in\r\n\r\n--=_0\r\nContent-Type: text/html\r\n\r\n<p>x</p>\r\n--=_0--\r\n"
    mail = rebuilt_mail([], "out", None, [MailFile("f.eml", "message/rfc822", inner)])
    said = content_of(read_mail(mail))
    assert said.text().strip() == "out"
    assert [leaf.media_type for leaf in said.files] == ["message/rfc822"]


def test_a_person_with_quotes_in_the_name_is_one_person() -> None:
    mail = read_mail(rebuilt_mail([("From", address('A "B" \\ č', "a@example.com"))], "x", None))
    assert addresses(mail, "from") == [("email:a@example.com", 'A "B" \\ č')]


TEXT = st.text(alphabet=st.characters(exclude_categories=[]), max_size=40)


@given(
    st.lists(st.tuples(TEXT, TEXT), max_size=4),
    TEXT | st.none(),
    TEXT | st.none(),
    st.lists(
        st.builds(MailFile, TEXT | st.none(), TEXT, st.binary(max_size=40), TEXT | st.none()),
        max_size=3,
    ),
)
def test_anything_a_provider_gives_makes_a_mail(
    headers: list[tuple[str, str]], text: str | None, html: str | None, files: list[MailFile]
) -> None:
    raw = rebuilt_mail(headers, text, html, files)
    assert raw == rebuilt_mail(headers, text, html, files)
    read_mail(raw)
