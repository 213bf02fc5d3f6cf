"""Vonage's two proofs: a signed token beside JSON, and a signature inside the older form.

Sources: Vonage's pages "Signed webhooks" (a JWT with HS256 whose claim `payload_hash` is the hex
SHA-256 of the body) and "Signing messages" (HMAC-SHA256 over the sorted fields, in the field
`sig`), the latter compared with the numbers in the tests of Vonage's own Python library.
"""

import base64
import hashlib
import hmac
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from services.ingest.adapters.request import ChannelAccount, RawRequest, SignatureRefused
from services.ingest.adapters.schemes.base import (
    Scheme,
    base64_bytes,
    decoded,
    require_any,
    require_recent,
    unix_moment,
    with_header,
)
from services.ingest.domain.json_fields import string_at
from services.ingest.domain.json_guard import Malformed, parse_json
from services.ingest.domain.urlencoded import UnreadableForm, form_pairs

FORM = "application/x-www-form-urlencoded"
_SECRET = "signature_secret"
_BEARER = "Bearer "
_SEGMENT = re.compile(r"[A-Za-z0-9_-]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class VonageProof(Scheme):
    """The token for JSON, the field `sig` for a form; the time is signed in both.

    The key (claim `api_key`, field `api-key`) must be that of the option `api_key`, where it is
    given: one signature secret may stand for several accounts. A token always names one; a form
    that names none is taken, because Vonage's list of what every inbound SMS has does not name it.
    """

    secrets = frozenset({_SECRET})
    header = "authorization"
    timed = True

    def verify(self, request: RawRequest, account: ChannelAccount, now: datetime) -> None:
        """Check the proof that belongs to this kind of body."""
        if request.media_type() == FORM:
            _verify_form(request, account, now)
        else:
            _verify_token(request, account, now)

    def sign(self, request: RawRequest, account: ChannelAccount, now: datetime) -> RawRequest:
        """Put the proof on, made with the first active secret."""
        secret = account.secrets[_SECRET][0]
        if request.media_type() == FORM:
            stamped = [*_pairs(request.body), ("timestamp", str(int(now.timestamp())))]
            signature = hmac.new(secret, _signed_fields(stamped), "sha256").hexdigest()
            return replace(request, body=urlencode([*stamped, ("sig", signature)]).encode())
        claims = {
            "iat": int(now.timestamp()),
            "iss": "Vonage",
            "payload_hash": hashlib.sha256(request.body).hexdigest(),
            "api_key": account.options.get("api_key", "abcd1234"),
        }
        return with_header(request, self.header, _BEARER + token_of(claims, secret))


def token_of(claims: dict[str, Any], secret: bytes, algorithm: str = "HS256") -> str:
    """Return a token with these claims (RFC 7519), signed with HMAC-SHA256."""
    head = _segment(json.dumps({"alg": algorithm, "typ": "JWT"}).encode())
    signed = f"{head}.{_segment(json.dumps(claims).encode())}"
    return f"{signed}.{_segment(hmac.new(secret, signed.encode(), 'sha256').digest())}"


def _verify_token(request: RawRequest, account: ChannelAccount, now: datetime) -> None:
    given = request.signature("authorization")
    segments = given.removeprefix(_BEARER).split(".")
    if not given.startswith(_BEARER) or len(segments) != 3:
        raise SignatureRefused("malformed")
    head, claims, signature = (_bytes(segment) for segment in segments)
    if _object(head).get("alg") != "HS256" or len(signature) != hashlib.sha256().digest_size:
        raise SignatureRefused("malformed")  # a token must not choose how it is checked
    signed = ".".join(segments[:2]).encode()
    require_any(
        hmac.compare_digest(hmac.new(secret, signed, "sha256").digest(), signature)
        for secret in account.secrets[_SECRET]
    )
    _require_claims(_object(claims), request, account, now)


def _require_claims(
    claims: dict[str, Any], request: RawRequest, account: ChannelAccount, now: datetime
) -> None:
    body_hash = (string_at(claims, "payload_hash") or "").lower()
    if not _SHA256.fullmatch(body_hash):
        raise SignatureRefused("malformed")
    require_any([hmac.compare_digest(body_hash, hashlib.sha256(request.body).hexdigest())])
    ours = account.options.get("api_key")
    if ours and string_at(claims, "api_key") != ours:
        raise SignatureRefused("wrong")
    require_recent(unix_moment(string_at(claims, "iat") or ""), now)
    if "exp" in claims and unix_moment(string_at(claims, "exp") or "") <= now.astimezone(UTC):
        raise SignatureRefused("stale")


def _verify_form(request: RawRequest, account: ChannelAccount, now: datetime) -> None:
    pairs = _pairs(request.body)
    given = [value for name, value in pairs if name == "sig"]
    if not given:
        raise SignatureRefused("missing")
    if len(given) > 1:
        raise SignatureRefused("doubled")
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise SignatureRefused("malformed")  # which of two equal names counts is nowhere said
    if any("&" in name or "=" in name for name in fields):
        raise SignatureRefused("malformed")  # signed, it would look like several fields
    signature = decoded(given[0].lower(), "hex", "sha256")
    signed = _signed_fields([pair for pair in pairs if pair[0] != "sig"])
    require_any(
        hmac.compare_digest(hmac.new(secret, signed, "sha256").digest(), signature)
        for secret in account.secrets[_SECRET]
    )
    ours = account.options.get("api_key")
    if ours and fields.get("api-key", ours) != ours:
        raise SignatureRefused("wrong")
    require_recent(unix_moment(fields.get("timestamp", "")), now)


def _pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        return form_pairs(body)
    except UnreadableForm:
        raise SignatureRefused("malformed") from None


def _signed_fields(pairs: list[tuple[str, str]]) -> bytes:
    """Return `&name=value` of every field, sorted by name; `&` and `=` in values become `_`.

    So says Vonage, and so whoever has a form can exchange the three in its values.
    """
    safe = str.maketrans("&=", "__")
    signed = "".join(f"&{name}={value.translate(safe)}" for name, value in sorted(pairs))
    return signed.encode("utf-8", "surrogateescape")


def _segment(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(segment: str) -> bytes:
    if not _SEGMENT.fullmatch(segment):
        raise SignatureRefused("malformed")
    padded = segment + "=" * (-len(segment) % 4)
    return base64_bytes(padded.replace("-", "+").replace("_", "/"))


def _object(raw: bytes) -> dict[str, Any]:
    try:
        found = parse_json(raw)
    except Malformed:
        found = None
    if not isinstance(found, dict):
        raise SignatureRefused("malformed")
    return found
