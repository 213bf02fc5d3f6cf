"""Mailgun's proof: hex HMAC-SHA256 of time and token, in a body that it does not cover.

Source: Mailgun's page "Securing webhooks". A route's form has the three as fields, an event's JSON
in the object `signature`.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from services.ingest.adapters.payloads.forms import BadForm, Form, read_form, with_fields
from services.ingest.adapters.request import ChannelAccount, RawRequest, SignatureRefused
from services.ingest.adapters.schemes.base import (
    Scheme,
    decoded,
    require_any,
    require_recent,
    tolerance_of,
    unix_moment,
)
from services.ingest.domain import limits
from services.ingest.domain.json_fields import object_at
from services.ingest.domain.json_guard import Malformed, parse_json

SECRET = "signing_key"
TIME, TOKEN, SIGNATURE = "timestamp", "token", "signature"
_PROOF = (SIGNATURE, TIME, TOKEN)
_TOKEN_AT_MOST = 100  # characters; Mailgun's have 50


@dataclass(frozen=True, kw_only=True)
class MailgunScheme(Scheme):
    """The fields `timestamp`, `token` and `signature`."""

    header: str | None = None
    time_header: str | None = None
    fields: tuple[str, ...] = _PROOF
    time_field: str | None = TIME
    covers_body: bool = False

    @property
    def secrets(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({SECRET})

    def verify(self, request: RawRequest, account: ChannelAccount, now: datetime) -> None:
        """Check the digest with each active key, then the age."""
        proof = proof_of(request)
        digest = decoded(proof[SIGNATURE], "hex", "sha256")
        moment = unix_moment(proof[TIME])
        signed = (proof[TIME] + proof[TOKEN]).encode("utf-8", "surrogatepass")
        require_any(
            hmac.compare_digest(hmac.new(key, signed, "sha256").digest(), digest)
            for key in account.secrets[SECRET]
        )
        require_recent(moment, now, tolerance_of(account))

    def sign(self, request: RawRequest, account: ChannelAccount, now: datetime) -> RawRequest:
        """Put the three on; the token is the body's digest, so another body has another one."""
        time, token = str(int(now.timestamp())), hashlib.sha256(request.body).hexdigest()[:50]
        key = account.secrets[SECRET][0]
        signature = hmac.new(key, (time + token).encode(), "sha256").hexdigest()
        proof = {TIME: time, TOKEN: token, SIGNATURE: signature}
        if is_event(request):
            told = {**parse_json(request.body), "signature": proof}
            return replace(request, body=json.dumps(told, ensure_ascii=False).encode())
        return with_fields(request, proof)


def is_event(request: RawRequest) -> bool:
    """Say whether a request is an event in JSON; else it is a route's form."""
    return request.body.startswith(b"{")


def proof_of(request: RawRequest) -> dict[str, str]:
    """Return time, token and signature, or refuse a body that does not have each once."""
    try:
        if is_event(request):
            found = _of_json(_event(request.body))
        else:
            found = _of_form(read_form(request, only=_PROOF))
    except (Malformed, BadForm):
        raise SignatureRefused("malformed") from None
    if not all(found.values()):
        raise SignatureRefused("missing")
    if len(found[TOKEN]) > _TOKEN_AT_MOST:
        raise SignatureRefused("malformed")
    return found


def _event(body: bytes) -> Any:
    """Return what an event's JSON holds; only a route's form may be as large as a mail."""
    if len(body) > limits.BODY:
        raise SignatureRefused("malformed")
    return parse_json(body)


def _of_json(body: Any) -> dict[str, str]:
    given: Mapping[str, Any] = object_at(body, "signature")
    if not all(isinstance(given.get(name, ""), str) for name in (TIME, TOKEN, SIGNATURE)):
        raise SignatureRefused("malformed")
    return {name: given.get(name, "") for name in (TIME, TOKEN, SIGNATURE)}


def _of_form(form: Form) -> dict[str, str]:
    names = [part.name for part in form.parts]
    if any(names.count(name) > 1 for name in (TIME, TOKEN, SIGNATURE)):
        raise SignatureRefused("doubled")
    return {name: form.text(name) or "" for name in (TIME, TOKEN, SIGNATURE)}


MAILGUN = MailgunScheme()
