"""Standard Webhooks 1.0.0: `{id}.{time}.{body}` signed with HMAC-SHA256 (v1) or Ed25519 (v1a).

Source: the specification "Standard Webhooks" 1.0.0, https://www.standardwebhooks.com. A secret is
written as there: `whsec_` (shared), `whpk_` (the sender's public key) or `whsk_` (its secret key,
for making test requests), each followed by base64.
"""

import base64
import binascii
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.ingest.adapters.request import ChannelAccount, RawRequest, SignatureRefused
from services.ingest.adapters.schemes.base import (
    Scheme,
    base64_bytes,
    require_any,
    require_recent,
    unix_moment,
    with_header,
)

ID, TIME, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
SIZES = {"v1": 32, "v1a": 64}
"""Bytes of a signature by its version; other versions are ignored, as the specification asks."""
SIGNATURES_AT_MOST = 8  # two keys in rotation, each in two versions, twice over
_ID_AT_MOST = 256  # characters, as the event model allows


@dataclass(frozen=True, kw_only=True)
class StandardWebhooks(Scheme):
    """The three `webhook-` headers; one valid signature among those listed is enough."""

    secret: str = "secret"
    header: str = SIGNATURE
    time_header: str | None = TIME
    covers_body: bool = True

    @property
    def secrets(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.secret})

    def verify(self, request: RawRequest, account: ChannelAccount, now: datetime) -> None:
        """Check each listed signature against each active secret of its kind, then the age."""
        own_id, time = request.signature(ID), request.signature(TIME)
        if len(own_id) > _ID_AT_MOST:
            raise SignatureRefused("malformed")
        given = list(_listed(request.signature(SIGNATURE)))
        moment = unix_moment(time)
        content = _content(own_id, time, request.body)
        require_any(
            _matches(secret, version, signature, content)
            for secret in account.secrets[self.secret]
            for version, signature in given
        )
        require_recent(moment, now)

    def sign(self, request: RawRequest, account: ChannelAccount, now: datetime) -> RawRequest:
        """Put the headers on; an id that is there already stays."""
        if not request.all(ID):
            request = with_header(request, ID, "msg_test")
        time = str(int(now.timestamp()))
        content = _content(request.signature(ID), time, request.body)
        signature = _signature(account.secrets[self.secret][0], content)
        return with_header(with_header(request, TIME, time), SIGNATURE, signature)


def own_id(request: RawRequest) -> str | None:
    """Return the sender's id of a request that was verified, the same at each attempt."""
    values = request.all(ID)
    return values[0].decode("ascii", "replace")[:_ID_AT_MOST] or None if values else None


def _content(own_id: str, time: str, body: bytes) -> bytes:
    return f"{own_id}.{time}.".encode() + body


def _listed(header: str) -> Iterator[tuple[str, bytes]]:
    entries = header.split(" ")
    if len(entries) > SIGNATURES_AT_MOST:
        raise SignatureRefused("malformed")
    for entry in entries:
        version, comma, written = entry.partition(",")
        if not version or not comma:
            raise SignatureRefused("malformed")
        if version in SIZES:
            signature = base64_bytes(written)
            if len(signature) != SIZES[version]:
                raise SignatureRefused("malformed")
            yield version, signature


def _matches(secret: bytes, version: str, signature: bytes, content: bytes) -> bool:
    kind, key = _key(secret)
    if version == "v1":
        return kind == "whsec" and hmac.compare_digest(
            hmac.new(key, content, "sha256").digest(), signature
        )
    public = _public(kind, key)
    if public is None:
        return False
    try:
        public.verify(signature, content)
    except InvalidSignature:
        return False
    return True


def _key(secret: bytes) -> tuple[str, bytes]:
    """Return the kind and the bytes of a secret; one that is none of these matches nothing."""
    kind, _, written = secret.strip().decode("latin-1").partition("_")
    try:
        key = base64.b64decode(written + "=" * (-len(written) % 4), validate=True)
    except (binascii.Error, ValueError):
        return "", b""
    return (kind, key) if key else ("", b"")


def _public(kind: str, key: bytes) -> Ed25519PublicKey | None:
    if kind == "whsk" and len(key) in (32, 64):  # the seed, or the seed and the public key
        return Ed25519PrivateKey.from_private_bytes(key[:32]).public_key()
    if kind == "whpk" and len(key) == 32:
        return Ed25519PublicKey.from_public_bytes(key)
    return None


def _signature(secret: bytes, content: bytes) -> str:
    kind, key = _key(secret)
    if kind == "whsec":
        version, raw = "v1", hmac.new(key, content, "sha256").digest()
    elif kind == "whsk" and len(key) in (32, 64):
        version, raw = "v1a", Ed25519PrivateKey.from_private_bytes(key[:32]).sign(content)
    else:
        raise ValueError("only a whsec_ or whsk_ secret can sign")
    return f"{version},{base64.b64encode(raw).decode()}"


STANDARD_WEBHOOKS = StandardWebhooks()
