"""X (Twitter), Account Activity API: direct messages, and posts that mention or answer us.

Source: X's page "Account Activity API" (v2). User ids are the same for everybody. Events of our
own account come too: what we wrote elsewhere is an echo.
"""

from datetime import datetime

from services.ingest.adapters.building import Builder, json_object, room_for_parts
from services.ingest.adapters.contract import Adapter, Parsed, Unparseable
from services.ingest.adapters.payloads.json_parts import translated
from services.ingest.adapters.payloads.x_events import IGNORED, Part, translate
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.adapters.schemes.x import X_SCHEME, answer_crc
from services.ingest.domain.json_fields import object_at, string_at
from shared.ids import KeyedIds


class X(Adapter):
    """One subscribed account; X vouches for the times."""

    provider = "x"
    scheme = X_SCHEME
    optional = frozenset({"user_id", "app_id"})

    def challenge(self, query: str, account: ChannelAccount) -> bytes:
        """Answer X's challenge-response check."""
        return answer_crc(query, account)

    def parse(
        self, request: RawRequest, account: ChannelAccount, received_at: datetime, ids: KeyedIds
    ) -> Parsed:
        """Translate one notification, which may hold several events of one kind."""
        payload = json_object(request.body)
        kinds = [name for name in payload if name.endswith(("_events", "_event"))]
        ours = string_at(payload, "for_user_id") or account.options.get("user_id")
        if not kinds or (ours is None and not set(kinds) <= IGNORED):
            raise Unparseable("for_user_id: missing")
        users = object_at(payload, "users")
        parts = [
            Part(ours or "", kind, body, users)
            for kind in kinds
            for body in (payload[kind] if isinstance(payload[kind], list) else [payload[kind]])
        ]
        builder = Builder(account, received_at, ids, vouched=True)
        return translated(
            parts,
            lambda part: translate(builder, part),
            Part.as_payload,
            room_for_parts(request.body),
        )
