"""SendGrid's signature: ECDSA with SHA-256 of the time and the raw body, checked by a public key.

Source: SendGrid's pages "Getting started with the event webhook security features" and "Securing
your inbound parse webhooks".
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.adapters.schemes.base import (
    Scheme,
    base64_bytes,
    require_any,
    require_recent,
    tolerance_of,
    unix_moment,
    with_header,
)

PUBLIC_KEY, PRIVATE_KEY = "public_key", "private_key"
_KEYS = 64  # accounts times keys in rotation; one is 100 bytes
_ECDSA = ECDSA(SHA256())


@dataclass(frozen=True, kw_only=True)
class SendGridScheme(Scheme):
    """Keys are as SendGrid shows them: the base64 of DER. `private_key` is for test requests."""

    header: str = "x-twilio-email-event-webhook-signature"
    time_header: str | None = "x-twilio-email-event-webhook-timestamp"
    covers_body: bool = True

    @property
    def secrets(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({PUBLIC_KEY})

    def verify(self, request: RawRequest, account: ChannelAccount, now: datetime) -> None:
        """Check the signature with each active key, then the age."""
        signature = base64_bytes(request.signature(self.header))
        time = request.signature(self.time_header or "")
        moment = unix_moment(time)
        signed = time.encode() + request.body
        require_any(
            _is_by(_public_key(key), signature, signed) for key in account.secrets[PUBLIC_KEY]
        )
        require_recent(moment, now, tolerance_of(account))

    def sign(self, request: RawRequest, account: ChannelAccount, now: datetime) -> RawRequest:
        """Put time and signature on; raise `ValueError` where the private key is none."""
        time = str(int(now.timestamp()))
        key = load_der_private_key(_der(account.secrets[PRIVATE_KEY][0]), None)
        if not isinstance(key, EllipticCurvePrivateKey):
            raise ValueError("not a key of an elliptic curve")
        signature = base64.b64encode(key.sign(time.encode() + request.body, _ECDSA)).decode()
        timed = with_header(request, self.time_header or "", time)
        return with_header(timed, self.header, signature)


def _is_by(key: EllipticCurvePublicKey | None, signature: bytes, signed: bytes) -> bool:
    if key is None:
        return False
    try:
        key.verify(signature, signed, _ECDSA)
    except InvalidSignature:
        return False
    return True


@lru_cache(_KEYS)
def _public_key(secret: bytes) -> EllipticCurvePublicKey | None:
    """Return the key a secret holds; None for what is no such key: it verifies nothing."""
    try:
        key = load_der_public_key(_der(secret))
    except Exception:  # the library has a dozen errors for what is no key
        return None
    return key if isinstance(key, EllipticCurvePublicKey) else None


def _der(secret: bytes) -> bytes:
    """Return the bytes of a key, with or without the lines of PEM around it."""
    lines = [line.strip() for line in secret.splitlines() if not line.startswith(b"-----")]
    try:
        return base64.b64decode(b"".join(lines), validate=True)
    except binascii.Error:
        raise ValueError("not the base64 of a key") from None


SENDGRID = SendGridScheme()
