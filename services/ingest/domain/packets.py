"""Cutting a stream into packets that an empty line ends, however it comes in pieces."""

import re

_END = re.compile(rb"\r?\n\r?\n")
_LONGEST_END = 4


class PacketSplitter:
    """Takes bytes, gives whole packets of at most `limit` bytes.

    A longer one is left out, up to its end, and counted in `discarded`: nothing a peer sends makes
    us hold more than `limit` bytes and one piece.
    """

    def __init__(self, limit: int) -> None:
        self._limit, self._buffer, self._seen = limit, bytearray(), 0
        self._discarding = False
        self.discarded = 0

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the packets that end in this piece, without their empty line."""
        self._buffer += piece
        found = []
        while end := _END.search(self._buffer, max(0, self._seen - _LONGEST_END)):
            packet = bytes(self._buffer[: end.start()])
            del self._buffer[: end.end()]
            self._seen = 0
            if self._discarding or len(packet) > self._limit:
                self.discarded += 1
                self._discarding = False
            elif packet.strip():
                found.append(packet)
        self._seen = len(self._buffer)
        if self._seen > self._limit + _LONGEST_END:
            self._discarding = True
            del self._buffer[:-_LONGEST_END]
            self._seen = len(self._buffer)
        return found
