"""Slack's signature: `v0=` and a hex HMAC-SHA256 of version, time and raw body.

Source: Slack's page "Verifying requests from Slack". The time must be within five minutes of ours.
"""

from collections.abc import Iterable

from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.adapters.schemes.base import Hmac


def _signed(request: RawRequest, _account: ChannelAccount, time: str) -> Iterable[bytes]:
    return (b"v0:" + time.encode() + b":" + request.body,)


SLACK = Hmac(
    header="x-slack-signature",
    secret="signing_secret",
    prefix="v0=",
    time_header="x-slack-request-timestamp",
    signed=_signed,
)
