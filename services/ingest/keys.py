"""API keys: `<prefix>.<secret>`, known to us only by their SHA-256."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

from starlette.requests import Request

from services.ingest.accounts import ApiKey
from services.ingest.domain import limits
from services.ingest.domain.channels import ApiKeyPolicy, is_expired
from shared.http import ApiError

_NO_DIGEST = "0" * 64  # compared with when no key has the prefix, so that both take as long


def require_key(request: Request, keys: Mapping[str, ApiKey], now: datetime) -> ApiKeyPolicy:
    """Return whose key came as `Authorization: Bearer …` or `X-API-Key`, or refuse with 401.

    Plain SHA-256 suffices: a key has 256 random bits, so there is nothing to guess.
    """
    given = _given(request)
    key = keys.get(given.partition(".")[0])
    digest = hashlib.sha256(given.encode("utf-8", "replace")).hexdigest()
    matches = hmac.compare_digest(digest, key.digest if key else _NO_DIGEST)
    if key is None or not matches or is_expired(key.policy, now):
        raise _unauthorised()
    return key.policy


def _given(request: Request) -> str:
    bearers = request.headers.getlist("authorization")
    plain = request.headers.getlist("x-api-key")
    if len(bearers) + len(plain) != 1:
        raise _unauthorised()
    if plain:
        given = plain[0]
    else:
        scheme, _, given = bearers[0].partition(" ")
        if scheme.lower() != "bearer":
            raise _unauthorised()
    if not 1 <= len(given) <= limits.SIGNATURE_HEADER:
        raise _unauthorised()
    return given.strip()


def _unauthorised() -> ApiError:
    return ApiError(
        401,
        "unauthorised",
        "This API needs a valid API key, once.",
        "Send `Authorization: Bearer <key>` or `X-API-Key: <key>`.",
        {"WWW-Authenticate": "Bearer"},
    )
