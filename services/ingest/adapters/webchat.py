"""Web chat: what a visitor of a site says in our own widget, as our own chat server wraps it.

Source: `services/ingest/domain/chat.py`, our own protocol. The server puts the session that it
knows from the visitor's secret token beside the frame (the header `chat-session`), and its own time
of arrival into it: that time counts, a browser's clock is never asked.

A visitor is known by the session alone. The address in the offline form is whatever was typed, so
it is the only contact point of its event, and its conversation is one of its own: it never links
anybody to anybody, as an e-mail's From does not.
"""

from datetime import datetime
from typing import Any

from services.ingest.adapters.building import Builder, each
from services.ingest.adapters.contract import Adapter, Parsed, Unparseable
from services.ingest.adapters.payloads.webchat_content import TRANSLATORS, unrecognised
from services.ingest.adapters.request import ChannelAccount, RawRequest, SignatureRefused
from services.ingest.adapters.schemes.base import Trusted
from services.ingest.domain.chat import FRAME, is_session_id
from services.ingest.domain.json_fields import string_at
from services.ingest.domain.json_guard import Malformed, parse_json
from shared.ids import KeyedIds

HEADER = "chat-session"
IGNORED = frozenset({"typing", "ping", "hello"})


class WebChat(Adapter):
    """Our own chat on a company's site; `origins` are the sites that may open it."""

    provider = "webchat"
    transport = "chat"
    scheme = Trusted(by="the session's secret token, which our own chat server checks")
    max_body = 2 * FRAME  # a visitor's frame and what the server puts around it
    options = frozenset({"origins"})
    optional = frozenset({"hours", "time_zone"})

    def verify(self, request: RawRequest, account: ChannelAccount, now: datetime) -> None:
        """Check that the frame is of the session whose token the chat server was shown."""
        session = request.signature(HEADER)
        if not is_session_id(session):
            raise SignatureRefused("malformed")
        if string_at(_frame(request), "session") != session:
            raise SignatureRefused("wrong")

    def parse(
        self,
        request: RawRequest,
        account: ChannelAccount,
        received_at: datetime,
        ids: KeyedIds,
    ) -> Parsed:
        """Translate one frame."""
        frame = _frame(request)
        kind, session = string_at(frame, "type"), string_at(frame, "session")
        if session is None or not is_session_id(session):
            raise Unparseable("session: missing")
        if kind in IGNORED:
            return Parsed(ignored=(kind,))
        translate = TRANSLATORS.get(kind or "", unrecognised)
        builder = Builder(account, received_at, ids, vouched=True)
        events, broken = each(
            [frame], lambda one: translate(builder, session, one), lambda _: request.body
        )
        return Parsed(tuple(events), tuple(broken))


def _frame(request: RawRequest) -> Any:
    try:
        return parse_json(request.body)
    except Malformed:
        return None
