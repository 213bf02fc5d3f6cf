"""Twilio's signature: base64 HMAC-SHA1 of our public URL and the form, or the URL and a body hash.

Source: Twilio's page "Webhooks security". What is signed is the URL configured at Twilio, so it is
rebuilt from the option `public_url` and never from the `Host` header. No time is signed.

Nothing separates the URL from the fields behind it, so one signature stands for every way to cut
the same characters in two. Only one of them is taken: a query is the configured one, or else it
ends before `AccountSid`, which all forms of Twilio's have as their first field.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from urllib.parse import urlsplit, urlunsplit

from services.ingest.adapters.request import ChannelAccount, RawRequest, SignatureRefused
from services.ingest.adapters.schemes.base import Hmac
from services.ingest.domain.urlencoded import UnreadableForm, form_pairs

FORM = "application/x-www-form-urlencoded"
_FIRST_FIELD = "AccountSid"
_PORTS = {"https": 443, "http": 80}
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


def _signed(request: RawRequest, account: ChannelAccount, _time: str) -> Iterable[bytes]:
    public_url = account.options["public_url"]
    try:
        hashes = [value for name, value in form_pairs(request.query) if name == "bodySHA256"]
        fields = "" if hashes else _signed_fields(request)
    except UnreadableForm:
        raise SignatureRefused("malformed") from None
    if len(hashes) > 1:
        raise SignatureRefused("doubled")
    if hashes:
        _require_hash(hashes[0], request.body)
    _require_one_reading(request.query, urlsplit(public_url).query, fields)
    urls = _signed_urls(public_url, request.query)
    return [(url + fields).encode("utf-8", "surrogateescape") for url in urls]


def _signed_fields(request: RawRequest) -> str:
    """Return names and values as Twilio signs them: sorted, equal pairs once."""
    if request.media_type() != FORM:
        raise SignatureRefused("missing")  # only a form may come without bodySHA256
    pairs = sorted(set(form_pairs(request.body)))
    return "".join(name + value for name, value in pairs)


def _require_one_reading(query: str, configured: str, fields: str) -> None:
    """Refuse a query that may hold fields, or fields that may hold a part of the query."""
    if query in ("", configured):
        return
    if _FIRST_FIELD in query or (fields and not fields.startswith(_FIRST_FIELD)):
        raise SignatureRefused("wrong")


def _require_hash(given: str, body: bytes) -> None:
    if not _SHA256.fullmatch(given):
        raise SignatureRefused("malformed")
    if not hmac.compare_digest(given.lower(), hashlib.sha256(body).hexdigest()):
        raise SignatureRefused("wrong")


def _signed_urls(public_url: str, query: str) -> tuple[str, ...]:
    """Return the URL with and without its port: Twilio signs either (its error 57012)."""
    parts = urlsplit(public_url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    default = _PORTS.get(parts.scheme)
    port = parts.port or default
    hosts = dict.fromkeys((parts.netloc, f"{host}:{port}", host))
    return tuple(
        urlunsplit((parts.scheme, name, parts.path, query or parts.query, "")) for name in hosts
    )


TWILIO = Hmac(
    header="x-twilio-signature",
    secret="auth_token",
    digest="sha1",
    encoding="base64",
    signed=_signed,
)
