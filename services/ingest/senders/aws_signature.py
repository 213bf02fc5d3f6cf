"""Amazon's proof of a call, Signature Version 4: a chain of HMAC-SHA256 over the call and the time.

Source: Amazon's page "Create a signed AWS API request"; checked with the vectors Amazon published.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlsplit

from services.ingest.senders.contract import Call, Signer

ALGORITHM = "AWS4-HMAC-SHA256"
DATE = "x-amz-date"
_UNRESERVED = "-_.~"


@dataclass(frozen=True)
class AwsKey(Signer):
    """An access key, for one service in one region."""

    key_id: str
    secret: bytes = field(repr=False)
    region: str
    service: str

    def sign(self, call: Call, now: datetime) -> Mapping[str, str]:
        """Return the time and the proof; they count for five minutes, for this call alone."""
        moment = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        given = {**call.headers, "host": urlsplit(call.url).netloc, DATE: moment}
        headers = sorted((name.lower(), " ".join(value.split())) for name, value in given.items())
        names = ";".join(name for name, _ in headers)
        scope = f"{moment[:8]}/{self.region}/{self.service}/aws4_request"
        digest = hashlib.sha256(_canonical(call, headers, names).encode()).hexdigest()
        signed = "\n".join((ALGORITHM, moment, scope, digest))
        proof = hmac.new(self._key(scope), signed.encode(), "sha256").hexdigest()
        credential = f"Credential={self.key_id}/{scope}"
        told = f"{ALGORITHM} {credential}, SignedHeaders={names}, Signature={proof}"
        return {DATE: moment, "authorization": told}

    def _key(self, scope: str) -> bytes:
        """Return the key that counts for one day, region and service."""
        key = b"AWS4" + self.secret
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), "sha256").digest()
        return key


def _canonical(call: Call, headers: list[tuple[str, str]], names: str) -> str:
    """Return the call in the one form that both sides write it in."""
    url = urlsplit(call.url)
    query = sorted(
        (quote(name, safe=_UNRESERVED), quote(value, safe=_UNRESERVED))
        for name, value in parse_qsl(url.query, keep_blank_values=True)
    )
    return "\n".join(
        (
            call.method,
            quote(url.path or "/", safe=f"/{_UNRESERVED}"),
            "&".join(f"{name}={value}" for name, value in query),
            *(f"{name}:{value}" for name, value in headers),
            "",
            names,
            hashlib.sha256(call.body).hexdigest(),
        )
    )
