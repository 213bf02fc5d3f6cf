"""What the calls to several providers have in common: credentials, numbers, answers in JSON."""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain.json_fields import string_at
from services.ingest.domain.json_guard import Malformed, parse_json
from services.ingest.senders.contract import Answer, File, NotSendable, Reply
from services.ingest.senders.mail_writing import one_line


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


def name_of(file: File) -> str:
    """Return what to call a file: its name, else the last part of its address."""
    path = urlsplit(file.reference).path if file.reference.startswith("https://") else ""
    found = one_line(file.name or unquote(path.rpartition("/")[2]))
    return found.replace("/", "_").replace("\\", "_") or "file"


def form_with_files(fields: Mapping[str, str], name: str, *files: File) -> tuple[str, bytes]:
    """Return a form with files (RFC 7578) as its content type and its bytes.

    The same form gives the same bytes: the boundary is their digest, so none of them can hold it.
    """
    disposition = 'Content-Disposition: form-data; name="{}"'
    parts = [
        f"{disposition.format(key)}\r\n\r\n{value}\r\n".encode() for key, value in fields.items()
    ]
    for file in files:
        called = name_of(file).replace('"', "%22")
        head = f'{disposition.format(name)}; filename="{called}"\r\nContent-Type: {file.media_type}'
        parts.append(head.encode() + b"\r\n\r\n" + (file.content or b"") + b"\r\n")
    boundary = f"=_{hashlib.blake2b(b''.join(parts), digest_size=16).hexdigest()}"
    line = f"--{boundary}".encode()
    body = b"".join(line + b"\r\n" + part for part in parts) + line + b"--\r\n"
    return f'multipart/form-data; boundary="{boundary}"', body


def scoped_id(reply: Reply, scheme: str) -> str:
    """Return where to answer, else the provider's own id of the customer; or `NotSendable`."""
    if reply.reply_to:
        return reply.reply_to
    for point in reply.contact_points:
        found, _, value = point.partition(":")
        if found == scheme:
            return value.rpartition("/")[2]
    raise NotSendable("The customer's id at this provider is not known.")
