"""Streams cut into pieces: networks cut them anywhere."""

from hypothesis import strategies as st

CUTS = st.lists(st.integers(1, 9), min_size=1, max_size=40)
"""Lengths of pieces."""


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    """Cut a stream into pieces of these lengths, over and over."""
    found: list[bytes] = []
    at = 0
    while at < len(stream):
        length = cuts[len(found) % len(cuts)]
        found.append(stream[at : at + length])
        at += length
    return found
