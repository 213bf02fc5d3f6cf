"""What a mail is known by that a provider tells in several ways: raw, in parts, or from a list.

Its bytes differ each time, so they cannot name it. A Message-ID alone cannot either: it can be
forged, and some programs use one for all they send. So what every way tells of envelope, headers,
text and files counts too, and a mail that differs in any of it is another mail.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from email.message import Message
from typing import Any

from services.ingest.adapters.mail import headers as read
from services.ingest.adapters.mail.parts import Content
from services.ingest.adapters.mail.translation import MailEnvelope
from services.ingest.domain.text import clean, short


def told_alike(
    mail: Message, said: Content, envelope: MailEnvelope, elsewhere: Iterable[Mapping[str, Any]]
) -> str | None:
    """Return the own id of a mail, the same whatever way it was told; None without a Message-ID.

    `elsewhere` are files that are not in the mail, each with `name` and `size`.
    """
    message_id = next(iter(read.message_ids(mail, "message-id")), None)
    if message_id is None:
        return None
    date = read.date(mail)
    files = [(short(leaf.name), len(leaf.body)) for leaf in said.files]
    files += [(file["name"], file["size"]) for file in elsewhere]
    told = (
        message_id,
        envelope.sender,
        sorted(envelope.recipients),
        [point for point, _ in read.addresses(mail, "from")],
        date.isoformat() if date else None,
        short(read.subject(mail)),
        " ".join(clean(said.rich or said.plain or "").split()),
        sorted(files, key=repr),
    )
    return f"mail-{hashlib.blake2b(json.dumps(told).encode(), digest_size=16).hexdigest()}"
