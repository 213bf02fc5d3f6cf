"""Amazon SNS's signature: RSA over some fields of the JSON body, checked by a certificate.

Source: Amazon's page "Verifying the signatures of Amazon SNS messages". Amazon means the receiver
to fetch the certificate from the address in the message. Nothing is fetched here: the certificates
are secrets of the channel account, which the operator fetched. The address must be Amazon's all
the same, and the topic must be ours.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate

from services.ingest.adapters.request import ChannelAccount, RawRequest, SignatureRefused
from services.ingest.adapters.schemes.base import (
    Scheme,
    iso_moment,
    require_any,
    require_recent,
)
from services.ingest.domain.json_guard import Malformed, parse_json

CERTIFICATE, PRIVATE_KEY = "certificate", "private_key"
_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
SIGNED = {
    "Notification": _NOTIFICATION,
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}
HASHES: dict[str, HashAlgorithm] = {"1": SHA1(), "2": SHA256()}
WINDOW = timedelta(hours=1, minutes=5)
"""The signed time is that of publishing, and SNS tries again for up to an hour."""
_CERTIFICATE_URL = re.compile(
    r"https://sns\.[a-z0-9-]{1,30}\.amazonaws\.com(?:\.cn)?/[A-Za-z0-9_-]{1,200}\.pem"
)
_SIGNATURE_AT_MOST = 1_400  # characters: RSA of 8192 bits in base64
_CERTIFICATES = 64


@dataclass(frozen=True, kw_only=True)
class SnsScheme(Scheme):
    """The fields `Signature` and `SignatureVersion`; `private_key` is for test requests."""

    header: str | None = None
    time_header: str | None = None
    covers_body: bool = True

    @property
    def secrets(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({CERTIFICATE})

    def verify(self, request: RawRequest, account: ChannelAccount, now: datetime) -> None:
        """Check topic, address of the certificate, signature and age, in this order."""
        message = message_of(request)
        if _field(message, "TopicArn") != account.options["topic_arn"]:
            raise SignatureRefused("wrong")
        if not _CERTIFICATE_URL.fullmatch(_field(message, "SigningCertURL")):
            raise SignatureRefused("wrong")
        algorithm = HASHES.get(_field(message, "SignatureVersion"))
        if algorithm is None:
            raise SignatureRefused("malformed")
        signature = _bytes(_field(message, "Signature"))
        signed = _signed(message)
        moment = iso_moment(_field(message, "Timestamp"))
        require_any(
            _is_by(_public_key(pem), signature, signed, algorithm)
            for pem in account.secrets[CERTIFICATE]
        )
        require_recent(moment, now, WINDOW)

    def sign(self, request: RawRequest, account: ChannelAccount, now: datetime) -> RawRequest:
        """Put topic, time and signature (version 2) into the message."""
        message = {
            "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem",
            **message_of(request),
            "TopicArn": account.options["topic_arn"],
            "Timestamp": now.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "SignatureVersion": "2",
        }
        key = load_pem_private_key(account.secrets[PRIVATE_KEY][0], None)
        if not isinstance(key, RSAPrivateKey):
            raise ValueError("not an RSA key")
        raw = key.sign(_signed(message), PKCS1v15(), HASHES["2"])
        message["Signature"] = base64.b64encode(raw).decode()
        return replace(request, body=json.dumps(message, ensure_ascii=False).encode())


def message_of(request: RawRequest) -> dict[str, Any]:
    """Return the message of a request, or refuse what is none."""
    try:
        message = parse_json(request.body)
    except Malformed:
        raise SignatureRefused("malformed") from None
    if not isinstance(message, dict):
        raise SignatureRefused("malformed")
    return message


def _field(message: dict[str, Any], name: str) -> str:
    value = message.get(name)
    if value is None or value == "":
        raise SignatureRefused("missing")
    if not isinstance(value, str):
        raise SignatureRefused("malformed")
    return value


def _signed(message: dict[str, Any]) -> bytes:
    """Return each signed field's name and value, a line each, in the order of their names."""
    names = SIGNED.get(_field(message, "Type"))
    if names is None:
        raise SignatureRefused("malformed")
    try:
        return "".join(_lines(message, names)).encode()
    except UnicodeEncodeError:
        raise SignatureRefused("malformed") from None


def _lines(message: dict[str, Any], names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        if name != "Subject" or message.get(name) is not None:
            yield f"{name}\n{_field(message, name)}\n"


def _bytes(written: str) -> bytes:
    if len(written) > _SIGNATURE_AT_MOST or not written.isascii():
        raise SignatureRefused("malformed")
    try:
        return base64.b64decode(written, validate=True)
    except binascii.Error:
        raise SignatureRefused("malformed") from None


def _is_by(
    key: RSAPublicKey | None, signature: bytes, signed: bytes, algorithm: HashAlgorithm
) -> bool:
    if key is None:
        return False
    try:
        key.verify(signature, signed, PKCS1v15(), algorithm)
    except InvalidSignature:
        return False
    return True


@lru_cache(_CERTIFICATES)
def _public_key(pem: bytes) -> RSAPublicKey | None:
    """Return the key of a certificate; None for what is none: it verifies nothing."""
    try:
        key = load_pem_x509_certificate(pem).public_key()
    except Exception:  # the library has a dozen errors for what is no certificate
        return None
    return key if isinstance(key, RSAPublicKey) else None


SNS = SnsScheme()
