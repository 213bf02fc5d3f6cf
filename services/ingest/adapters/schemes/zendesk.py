"""Zendesk's signature: base64 HMAC-SHA256 of the time as written, then the raw body.

Source: Zendesk's page "Verifying webhook authenticity". An older form of that page has an example
that signs the body first; the current one, followed here, signs the time first.
"""

from collections.abc import Iterable

from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.adapters.schemes.base import Hmac


def _signed(request: RawRequest, _account: ChannelAccount, time: str) -> Iterable[bytes]:
    return (time.encode() + request.body,)


ZENDESK = Hmac(
    header="x-zendesk-webhook-signature",
    secret="signing_secret",
    encoding="base64",
    signed=_signed,
    time_header="x-zendesk-webhook-signature-timestamp",
    time_format="iso",
)
