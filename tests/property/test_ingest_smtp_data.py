"""A mail is the same however its bytes are cut, and ends where RFC 5321 says, nowhere else."""

import asyncio

from hypothesis import example, given
from hypothesis import strategies as st

from services.ingest.smtp_data import MailData, read_data
from tests.support.cutting import CUTS, pieces

END = b"\r\n.\r\n"
BITS = (b"a", b".", b"\r", b"\n", b"\r\n", b"\r\n.", b"\r\n..", b"\n.\n", b"\n.\r\n", b"\r.\r")
BEFORE = st.lists(st.sampled_from((*BITS, END)), max_size=30).map(b"".join)
BEHIND = st.lists(st.sampled_from(BITS), max_size=6).map(b"".join)
LARGE = 1_000_000


def line_by_line(stream: bytes) -> tuple[bytes, bytes]:
    """Return the mail and what is behind its end, as RFC 5321 §4.5.2 tells it."""
    content = b""
    while True:
        line, end, stream = stream.partition(b"\r\n")
        assert end
        if line == b".":
            return content, stream
        content += line.removeprefix(b".") + end


def read(given_pieces: list[bytes], limit: int = LARGE) -> tuple[bytes | None, bytes]:
    """Return the mail in these pieces and what is behind its end."""
    data = MailData(limit)
    for number, piece in enumerate(given_pieces):
        rest = data.take(piece)
        if rest is not None:
            return data.content(), rest + b"".join(given_pieces[number + 1 :])
    raise AssertionError("no end was seen")


@given(BEFORE, BEHIND, CUTS)
@example(b"", b"QUIT\r\n", [1])
@example(b".", b"", [3, 1])
@example(b"..\r\n..", b"", [1])
@example(b"\r\n..\r\n\r", b"", [2, 3])
def test_however_a_mail_is_cut_it_is_what_it_is_line_by_line(
    before: bytes, behind: bytes, cuts: list[int]
) -> None:
    stream = before + END + behind
    assert read(pieces(stream, cuts)) == line_by_line(stream)


@given(BEHIND, CUTS)
def test_a_mail_without_a_line_ends_at_once(behind: bytes, cuts: list[int]) -> None:
    assert read(pieces(b".\r\n" + behind, cuts)) == (b"", behind)


@given(BEFORE, BEHIND, CUTS, st.integers(0, 60))
def test_a_mail_larger_than_the_limit_as_sent_is_read_to_its_end_and_left_out(
    before: bytes, behind: bytes, cuts: list[int], limit: int
) -> None:
    stream = before + END + behind
    content, rest = line_by_line(stream)
    sent = len(stream) - len(rest) - len(b".\r\n")
    expected = content if sent <= limit else None
    assert read(pieces(stream, cuts), limit) == (expected, rest)


@given(st.lists(st.sampled_from(BITS), max_size=60), st.integers(0, 60))
def test_no_mail_makes_us_hold_more_than_the_limit(stream: list[bytes], limit: int) -> None:
    data = MailData(limit)
    for piece in stream:
        if data.take(piece) is not None:
            break
        assert len(data._content) <= limit + len(b"\r\n")
        assert len(data._held) < len(END)


@given(BEFORE, BEHIND, CUTS)
def test_what_is_behind_a_mail_stays_in_the_reader_in_order(
    before: bytes, behind: bytes, cuts: list[int]
) -> None:
    stream = before + END + behind
    content, rest = line_by_line(stream)

    async def scenario() -> None:
        reader = asyncio.StreamReader()
        reading = asyncio.create_task(read_data(reader, LARGE, lambda: None))
        for number, piece in enumerate(pieces(stream, cuts)):
            reader.feed_data(piece)
            if number % 3:  # two that came together are one for us
                await asyncio.sleep(0)
        assert await reading == content
        reader.feed_eof()
        assert await reader.read() == rest

    asyncio.run(scenario())
