"""What the calls to several providers have in common: credentials, numbers, answers in JSON."""

import base64

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
