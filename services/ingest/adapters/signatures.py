"""Comparing signatures: constant time, strict encodings, several live secrets."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Literal

from services.ingest.adapters.contract import SignatureRefused

_HEX = {"sha1": re.compile(r"[0-9a-f]{40}"), "sha256": re.compile(r"[0-9a-f]{64}")}


def require_hex(
    given: str, signed: bytes, secrets: Iterable[bytes], digest: Literal["sha1", "sha256"]
) -> None:
    """Refuse unless `given` is the lower-case hex HMAC of `signed` under one of the secrets."""
    if not _HEX[digest].fullmatch(given):
        raise SignatureRefused("malformed")
    _require(bytes.fromhex(given), (signed,), secrets, digest)


def require_base64(
    given: str,
    signed: Iterable[bytes],
    secrets: Iterable[bytes],
    digest: Literal["sha1", "sha256"],
) -> None:
    """Refuse unless `given` is the base64 HMAC of one of `signed` under one of the secrets."""
    try:
        signature = base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        raise SignatureRefused("malformed") from None
    if (
        len(signature) != hashlib.new(digest).digest_size
        or base64.b64encode(signature).decode() != given
    ):
        raise SignatureRefused("malformed")
    _require(signature, signed, secrets, digest)


def _require(
    signature: bytes, signed: Iterable[bytes], secrets: Iterable[bytes], digest: str
) -> None:
    candidates = tuple(signed)
    matches = [
        hmac.compare_digest(hmac.new(secret, candidate, digest).digest(), signature)
        for secret in secrets
        for candidate in candidates
    ]
    if not any(matches):
        raise SignatureRefused("wrong")
