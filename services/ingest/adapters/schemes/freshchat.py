"""Freshchat's signature: RSA (PKCS #1 v1.5, SHA-256) over the raw body, in base64.

Source: Freshworks' page "Freshchat webhooks: payload structure and authentication". The account's
public key is the secret `public_key`: PEM, with or without its lines, or its base64 alone. Only
making test requests needs a `private_key`.
"""

import base64
import binascii
from datetime import datetime
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_private_key

from services.ingest.adapters.request import ChannelAccount, RawRequest, SignatureRefused
from services.ingest.adapters.schemes.base import (
    Scheme,
    base64_bytes,
    require_any,
    with_header,
)

HEADER = "x-freshchat-signature"


class RsaBody(Scheme):
    """RSA over the body, verified with each live public key."""

    secrets = frozenset({"public_key"})
    header = HEADER

    def verify(self, request: RawRequest, account: ChannelAccount, now: datetime) -> None:
        """Check the signature; no time is signed."""
        signature = base64_bytes(request.signature(HEADER))
        if not signature:
            raise SignatureRefused("malformed")
        require_any(_matches(key, signature, request.body) for key in account.secrets["public_key"])

    def sign(self, request: RawRequest, account: ChannelAccount, now: datetime) -> RawRequest:
        """Put the signature on, made with the first `private_key` (PEM)."""
        key = load_pem_private_key(account.secrets["private_key"][0], None)
        if not isinstance(key, RSAPrivateKey):
            raise TypeError("private_key is not RSA")
        signature = key.sign(request.body, PKCS1v15(), SHA256())
        return with_header(request, HEADER, base64.b64encode(signature).decode())


def _matches(written: bytes, signature: bytes, body: bytes) -> bool:
    key = _public_key(written)
    if key is None:
        return False
    try:
        key.verify(signature, body, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


@lru_cache(64)  # one or two keys of each channel account
def _public_key(written: bytes) -> RSAPublicKey | None:
    """Return the key, or None for what is none: then nothing is authentic."""
    text = written.replace(b"-----BEGIN PUBLIC KEY-----", b"")
    text = text.replace(b"-----END PUBLIC KEY-----", b"")
    try:
        key = load_der_public_key(base64.b64decode(b"".join(text.split()), validate=True))
    except (ValueError, binascii.Error):
        return None
    return key if isinstance(key, RSAPublicKey) else None
