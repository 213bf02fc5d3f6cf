"""Packets are the same however the stream is cut, and no stream makes us hold much."""

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.adapters.payloads.asterisk_packet import fields_of
from services.ingest.domain.packets import PacketSplitter
from tests.support.cutting import CUTS, pieces

LINES = st.lists(
    st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1),
    min_size=1,
    max_size=4,
).map(lambda lines: "\r\n".join(lines).encode())


@given(st.lists(LINES.filter(lambda packet: packet.strip()), max_size=6), CUTS, st.booleans())
def test_however_a_stream_is_cut_its_packets_are_the_same(
    packets: list[bytes], cuts: list[int], bare: bool
) -> None:
    end = b"\n\n" if bare else b"\r\n\r\n"
    splitter = PacketSplitter(10_000)
    stream = b"".join(packet + end for packet in packets)
    found = [packet for piece in pieces(stream, cuts) for packet in splitter.feed(piece)]
    assert found == packets
    assert splitter.discarded == 0


@given(st.integers(1, 400), CUTS)
def test_a_packet_beyond_the_limit_is_left_out_alone(length: int, cuts: list[int]) -> None:
    splitter = PacketSplitter(100)
    long = b"x" * length
    stream = b"before\r\n\r\n" + long + b"\r\n\r\nafter\r\n\r\n"
    found = [packet for piece in pieces(stream, cuts) for packet in splitter.feed(piece)]
    assert found == [b"before", *([long] if length <= 100 else []), b"after"]
    assert splitter.discarded == (length > 100)


@given(st.lists(st.binary(max_size=200), max_size=30))
def test_no_stream_makes_us_hold_more_than_the_limit_and_a_piece(stream: list[bytes]) -> None:
    splitter = PacketSplitter(100)
    for piece in stream:
        assert all(len(packet) <= 100 for packet in splitter.feed(piece))
        assert len(splitter._buffer) <= 100 + 4


@given(st.binary(max_size=500))
def test_any_packet_has_lines_or_none(packet: bytes) -> None:
    for name, value in fields_of(packet).items():
        (name + value).encode()
