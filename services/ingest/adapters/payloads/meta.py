"""What all webhooks of Meta have in common: the signature, the challenge, the service window.

Sources: Meta's pages "Webhooks: getting started" and "Messenger Platform policy" (24 hours).
"""

import hmac
from datetime import datetime, timedelta
from urllib.parse import parse_qs

from services.ingest.adapters.contract import Adapter
from services.ingest.adapters.request import ChannelAccount, SignatureRefused
from services.ingest.adapters.schemes.base import Hmac
from services.ingest.domain import limits
from shared.clock import sound

WINDOW = timedelta(hours=24)
"""How long after the customer's message Meta lets a business answer freely."""


def window_after(occurred_at: datetime | None) -> datetime | None:
    """Return when the service window closes that a customer's message opened or moved on."""
    return sound(occurred_at + WINDOW) if occurred_at else None


class MetaHook(Adapter):
    """A webhook of a Meta app: signed with the app's secret, no time in it."""

    max_body = limits.BODY_META
    max_keys = limits.JSON_KEYS_META
    scheme = Hmac(header="x-hub-signature-256", secret="app_secret", prefix="sha256=")
    more_secrets = frozenset({"verify_token"})

    def challenge(self, query: str, account: ChannelAccount) -> bytes:
        """Echo `hub.challenge` if `hub.verify_token` is ours."""
        try:
            given = parse_qs(query, max_num_fields=20)
        except ValueError:
            raise SignatureRefused("malformed") from None
        token, challenge, mode = (
            given.get(f"hub.{name}", []) for name in ("verify_token", "challenge", "mode")
        )
        if not token or not challenge:
            raise SignatureRefused("missing")
        if len(token) > 1 or len(challenge) > 1:
            raise SignatureRefused("doubled")
        if mode != ["subscribe"] or len(challenge[0]) > limits.SIGNATURE_HEADER:
            raise SignatureRefused("malformed")
        sent = token[0].encode("utf-8", "replace")
        matches = [hmac.compare_digest(sent, ours) for ours in account.secrets["verify_token"]]
        if not any(matches):
            raise SignatureRefused("wrong")
        return challenge[0].encode("utf-8", "replace")
