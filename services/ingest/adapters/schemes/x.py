"""X's signature, and the check by which X makes sure the address is ours (CRC).

Source: X's page "Webhooks: quickstart". Both are an HMAC-SHA256 with the consumer secret, of the
body and of a token that anybody can ask about. So whoever asked about a token that is a body would
get that body's signature from us: a token is only answered if it could never be JSON, and a body
is only looked at if it could never be such a token.
"""

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qs

from services.ingest.adapters.request import ChannelAccount, RawRequest, SignatureRefused
from services.ingest.adapters.schemes.base import Hmac


@dataclass(frozen=True, kw_only=True)
class XScheme(Hmac):
    """X's HMAC, for bodies that are a JSON object as all of X's are, and for no other."""

    def verify(self, request: RawRequest, account: ChannelAccount, now: datetime) -> None:
        """Check the first byte, then the digest: of a token we may have told the digest."""
        if not request.body.startswith(b"{"):
            raise SignatureRefused("malformed")
        super().verify(request, account, now)


X_SCHEME = XScheme(
    header="x-twitter-webhooks-signature",
    secret="consumer_secret",
    encoding="base64",
    prefix="sha256=",
)
_TOKEN = re.compile(r"[A-Za-z0-9_+/=.-]{8,256}")


def answer_crc(query: str, account: ChannelAccount) -> bytes:
    """Return the JSON that proves we hold the consumer secret; `SignatureRefused` otherwise."""
    try:
        tokens = parse_qs(query, max_num_fields=20).get("crc_token", [])
    except ValueError:
        raise SignatureRefused("malformed") from None
    if not tokens:
        raise SignatureRefused("missing")
    if len(tokens) > 1:
        raise SignatureRefused("doubled")
    token = tokens[0].replace(" ", "+")  # base64 in a query that nobody escaped
    if not _TOKEN.fullmatch(token) or token.isdigit():
        raise SignatureRefused("malformed")
    secret = account.secrets["consumer_secret"][0]
    digest = base64.b64encode(hmac.new(secret, token.encode(), hashlib.sha256).digest()).decode()
    return json.dumps({"response_token": f"sha256={digest}"}).encode()
