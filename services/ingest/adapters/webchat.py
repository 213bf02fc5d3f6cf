"""Web chat: what a visitor of a site says in our own widget, as our own chat server wraps it.

Source: `services/ingest/domain/chat.py`, our own protocol. The server puts the session that it
knows from the visitor's secret token beside the frame (the header `chat-session`), and its own time
of arrival into it: that time counts, a browser's clock is never asked.

A visitor is known by the session alone. The address in the offline form is whatever was typed, so
it is the only contact point of its event, and its conversation is one of its own: it never links
anybody to anybody, as an e-mail's From does not.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from services.ingest.adapters.building import Builder, each, kept_whole
from services.ingest.adapters.contract import (
    Adapter,
    Broken,
    ChannelAccount,
    Parsed,
    RawRequest,
    SignatureRefused,
    Unparseable,
)
from services.ingest.adapters.schemes.base import Trusted
from services.ingest.domain.chat import FRAME, is_session_id
from services.ingest.domain.json_fields import string_at
from services.ingest.domain.json_guard import Malformed, parse_json
from services.ingest.domain.text import cut, short
from shared.clock import to_milliseconds
from shared.contact_points import parse_contact_point
from shared.events import Event
from shared.events.contact import (
    ContactUnrecognised,
    FormSubmitted,
    InteractionEnded,
    InteractionStarted,
    MessageReceived,
)
from shared.ids import KeyedIds, derived_id

CHANNEL = "chat"
OFFLINE_FORM = "chat-offline"
HEADER = "chat-session"
IGNORED = frozenset({"typing", "ping", "hello"})
INTERACTIONS: Mapping[str, tuple[type[Event], str]] = {
    "started": (InteractionStarted, "started"),
    "ended": (InteractionEnded, "ended"),
}


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
        translate = _TRANSLATORS.get(kind or "", _unrecognised)
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


def _message(builder: Builder, session: str, frame: Any) -> Iterator[Event]:
    text, truncated = cut(_needed(frame, "text"))
    own_id = f"{session}/m/{_needed(frame, 'id')}"
    yield builder.event(
        MessageReceived,
        own_id,
        message_id=derived_id("msg", builder.account.name, own_id),
        text=text,
        truncated=truncated,
        **_whose(builder, session, frame),
    )


def _interaction(builder: Builder, session: str, frame: Any) -> Iterator[Event]:
    event_type, what = INTERACTIONS[_needed(frame, "type")]
    interaction = f"{session}.{_needed(frame, 'interaction')}"
    reason: dict[str, Any] = {}
    if what == "ended":
        reason = {"reason": string_at(frame, "reason") or "completed"}
    yield builder.event(
        event_type,
        f"{interaction}/{what}",
        interaction_id=interaction,
        kind="chat",
        **reason,
        **_whose(builder, session, frame),
    )


def _offline(builder: Builder, session: str, frame: Any) -> Iterator[Event]:
    form_id, point = _needed(frame, "id"), parse_contact_point(_needed(frame, "contact_point"))
    answers = {"text": cut(_needed(frame, "text"))[0], "session": session}
    whose = _whose(builder, session, frame)
    yield builder.event(
        FormSubmitted,
        f"{session}/f/{form_id}",
        form=OFFLINE_FORM,
        fields=[{"name": name, "value": value} for name, value in answers.items()],
        **whose | {"contact_points": [point], "conversation": (session, form_id), "reply_to": None},
    )


def _unrecognised(builder: Builder, session: str, frame: Any) -> Iterator[Event]:
    kind, own_id = _needed(frame, "type"), f"{session}/u/{_needed(frame, 'id')}"
    whose = {**_whose(builder, session, frame), "raw": kept_whole(frame)}
    yield builder.event(ContactUnrecognised, own_id, kind=short(kind), **whose)


_TRANSLATORS: Mapping[str, Callable[[Builder, str, Any], Iterator[Event]]] = {
    "message": _message,
    "offline": _offline,
    **dict.fromkeys(INTERACTIONS, _interaction),
}


def _whose(builder: Builder, session: str, frame: Any) -> dict[str, Any]:
    return {
        "conversation": (session,),
        "channel": CHANNEL,
        "occurred_at": _moment(string_at(frame, "at")),
        "contact_points": [f"webchat:{builder.account.name}/{session}"],
        "display_name": short(string_at(frame, "name")),
        "locale": string_at(frame, "locale"),
        "reply_to": session,
    }


def _needed(frame: Any, field: str) -> str:
    found = string_at(frame, field)
    if found is None:
        raise Broken(f"{field}: missing")
    return found


def _moment(written: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(written or "")
        return to_milliseconds(moment) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
