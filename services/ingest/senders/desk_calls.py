"""What the calls to helpdesks have in common: JSON to a conversation, which the reply must name."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from services.ingest.domain.json_fields import list_at, string_at
from services.ingest.domain.json_guard import Malformed, parse_json
from services.ingest.senders.contract import Answer, Call, NotSendable, Reply


def conversation_of(reply: Reply) -> str:
    """Return the helpdesk's id of the conversation, safe in a path; or raise `NotSendable`."""
    if not reply.reply_to:
        raise NotSendable("The helpdesk's conversation is not known: answer in the helpdesk.")
    return quote(reply.reply_to, safe="")


def json_call(
    url: str, content: Mapping[str, Any], headers: Mapping[str, str], *, put: bool = False
) -> Call:
    """Return the call with a JSON body."""
    given = {"content-type": "application/json", **headers}
    return Call(url, json.dumps(content).encode(), given, method="PUT" if put else "POST")


def last_id(answer: Answer, *path: str, **equal: str) -> str | None:
    """Return the id of the last object in a list of the answer whose fields are `equal`."""
    try:
        listed = list_at(parse_json(answer.body), *path)
    except Malformed:
        return None
    fitting = (
        each
        for each in reversed(listed)
        if all(string_at(each, name) == value for name, value in equal.items())
    )
    return string_at(next(fitting, None), "id")
