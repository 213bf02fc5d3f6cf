"""What the calls to several providers have in common: credentials, numbers, answers in JSON."""

import base64
import json
from typing import Any

from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain.json_fields import string_at
from services.ingest.domain.json_guard import Malformed, parse_json
from services.ingest.senders.contract import Answer, File, NotSendable, Reply


def basic(name: bytes, password: bytes) -> str:
    """Return the value of `Authorization` for basic authentication (RFC 7617)."""
    return "Basic " + base64.b64encode(name + b":" + password).decode()


def number_of(reply: Reply) -> str:
    """Return the customer's telephone number in E.164; raise `NotSendable` if none is known."""
    for point in reply.contact_points:
        scheme, _, value = point.partition(":")
        if scheme == "tel":
            return value
    raise NotSendable("This provider needs a telephone number; the customer has none here.")


def address_of(file: File) -> str:
    """Return the https address of a file that the provider fetches itself; or `NotSendable`."""
    if not file.reference.startswith("https://"):
        raise NotSendable("This provider fetches files itself: give an https address.")
    return file.reference


def told(answer: Answer, *path: str) -> str | None:
    """Return the string at a path of an answer in JSON, or None."""
    try:
        return string_at(parse_json(answer.body), *path)
    except Malformed:
        return None


def bearer(account: ChannelAccount, secret: str) -> dict[str, str]:
    """Return the headers of a call in JSON that a token allows (RFC 6750)."""
    return {
        "authorization": f"Bearer {account.secrets[secret][0].decode()}",
        "content-type": "application/json",
    }


def in_json(body: Any) -> bytes:
    """Return a call's body."""
    return json.dumps(body, ensure_ascii=False).encode()


def scoped_id(reply: Reply, scheme: str) -> str:
    """Return where to answer, else the provider's own id of the customer; or `NotSendable`."""
    if reply.reply_to:
        return reply.reply_to
    for point in reply.contact_points:
        found, _, value = point.partition(":")
        if found == scheme:
            return value.rpartition("/")[2]
    raise NotSendable("The customer's id at this provider is not known.")


def no_files(reply: Reply) -> None:
    """Raise `NotSendable` for a reply with files."""
    if reply.files:
        raise NotSendable("Files cannot be sent here: put a link into the text.")
