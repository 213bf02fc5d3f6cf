"""Slack: messages to an app in direct messages and channels (Slack Connect among them).

Sources: Slack's pages "Events API", "message event" and its subtypes, "reaction_added event".
A message is known by its channel and `ts`; the same one told twice (as `message` and as
`app_mention`) gives the same ids.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from services.ingest.adapters.building import Builder, json_object, kept_whole
from services.ingest.adapters.contract import Adapter, Parsed, Unparseable
from services.ingest.adapters.payloads.json_parts import (
    Ignored,
    Translation,
    message_event,
    required,
    translated,
)
from services.ingest.adapters.payloads.slack_changes import changed, deleted, reacted
from services.ingest.adapters.payloads.slack_content import (
    attachments_of,
    common_of,
    kind_of,
    message_id_of,
    our_bots,
    text_of,
)
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.adapters.schemes.slack import SLACK
from services.ingest.domain.json_fields import object_at, string_at
from services.ingest.domain.text import short
from shared.events.contact import ContactUnrecognised
from shared.ids import KeyedIds

CONTENT = frozenset({None, "file_share", "me_message", "thread_broadcast", "bot_message"})
IGNORED = frozenset(
    {"app_home_opened", "app_uninstalled", "channel_archive", "channel_created", "im_open"}
    | {"channel_rename", "im_close", "im_created", "presence_change", "tokens_revoked"}
    | {"user_change", "user_typing"}
)
ENVELOPES = frozenset({"url_verification", "app_rate_limited"})


class Slack(Adapter):
    """An app's events; Slack vouches for the times."""

    provider = "slack"
    scheme = SLACK
    optional = frozenset({"app_id", "bot_id", "own_team"})

    def reply(self, request: RawRequest, account: ChannelAccount) -> tuple[str, bytes]:
        """Give back the challenge by which Slack checks the address; else nothing."""
        try:
            payload = json_object(request.body)
        except Unparseable:
            return self.answer
        if string_at(payload, "type") != "url_verification":
            return self.answer
        challenge = string_at(payload, "challenge")
        return "application/json", json.dumps({"challenge": challenge}).encode()

    def parse(
        self, request: RawRequest, account: ChannelAccount, received_at: datetime, ids: KeyedIds
    ) -> Parsed:
        """Translate one event."""
        payload = json_object(request.body)
        kind = string_at(payload, "type") or ""
        if kind in ENVELOPES:
            return Parsed(ignored=(kind,))
        if kind != "event_callback":
            raise Unparseable("type: not event_callback")
        builder = Builder(account, received_at, ids, vouched=True)
        return translated([payload], lambda part: _translate(builder, part), lambda _: request.body)


def _translate(builder: Builder, payload: dict[str, Any]) -> Translation:
    team, own_id = required(payload, "team_id"), required(payload, "event_id")
    event = object_at(payload, "event")
    kind, subtype = required(event, "type"), string_at(event, "subtype")
    if kind in IGNORED:
        raise Ignored(kind)
    if string_at(event, "user") in our_bots(payload):
        raise Ignored("our own message")
    if kind in ("message", "app_mention") and subtype in CONTENT:
        return _message(builder, event, team)
    known = SUBTYPES.get(subtype or "") if kind == "message" else KINDS.get(kind)
    if known:
        return known(builder, event, team, own_id)
    return _other(builder, event, team, own_id, subtype or kind)


def _message(builder: Builder, event: dict[str, Any], team: str) -> Translation:
    options, channel = builder.account.options, required(event, "channel")
    for name in ("bot_id", "app_id"):
        if name in options and string_at(event, name) == options[name]:
            raise Ignored("our own message")
    team_of = string_at(event, "user_team") or string_at(event, "team")
    colleague = "agent" if team_of and team_of == options.get("own_team") else None
    ours = "bot" if string_at(event, "bot_id") else colleague
    user = string_at(event, "parent_user_id" if ours else "user")
    if user is None or (ours and user == string_at(event, "user")):
        raise Ignored("message of ours or of nobody")
    thread, ts = string_at(event, "thread_ts"), required(event, "ts")
    return [
        message_event(
            builder,
            message_id_of(channel, event),
            text_of(event),
            sent_by=ours,
            display_name=None if ours else short(string_at(event, "user_profile", "real_name")),
            kind=kind_of(event),
            attachments=attachments_of(event),
            in_reply_to=f"{channel}/{thread}" if thread and thread != ts else None,
            raw=kept_whole(event) if "files" in event or kind_of(event) == "unknown" else None,
            **common_of(builder, team, channel, user, ts, thread),
        )
    ]


def _other(
    builder: Builder, event: dict[str, Any], team: str, own_id: str, kind: str
) -> Translation:
    user = string_at(event, "user") or string_at(event, "user", "id")
    if user is None or string_at(event, "bot_id"):
        raise Ignored("event without a customer")
    channel = string_at(event, "channel") or string_at(event, "channel", "id") or user
    common = common_of(builder, team, channel, user, string_at(event, "event_ts"))
    named = short(kind)
    return [builder.event(ContactUnrecognised, own_id, **common, kind=named, raw=kept_whole(event))]


Known = Callable[[Builder, dict[str, Any], str, str], Translation]
SUBTYPES: dict[str, Known] = {"message_changed": changed, "message_deleted": deleted}
KINDS: dict[str, Known] = {
    "reaction_added": reacted(removed=False),
    "reaction_removed": reacted(removed=True),
}
