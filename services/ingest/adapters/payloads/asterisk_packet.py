"""A packet of Asterisk's manager interface: its lines, its time, and whose call it tells of."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import phonenumbers

from services.ingest.adapters.building import Builder
from services.ingest.domain import limits
from services.ingest.domain.text import clean, short
from shared.clock import sound
from shared.contact_points import InvalidContactPoint, contact_point

Fields = Mapping[str, str]
WITHHELD = frozenset({"", "<unknown>", "unknown", "anonymous", "unavailable", "restricted"})
_SECONDS = re.compile(r"([0-9]{1,11})(?:\.([0-9]{1,6})[0-9]*)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def fields_of(packet: bytes) -> Fields:
    """Return a packet's lines by name, the first of each; a line without a colon is left out."""
    found: dict[str, str] = {}
    lines = clean(packet.decode("utf-8", "surrogateescape")).split("\n", limits.AMI_LINES)
    for line in lines[: limits.AMI_LINES]:
        name, separator, value = line.partition(":")
        if separator:
            found.setdefault(name.strip(), value.strip())
    return found


def moment_of(fields: Fields) -> str:
    """Return what tells one packet of a kind from the next: its time, else its number."""
    return (fields.get("Timestamp") or fields.get("packet-number", ""))[:40]


def interaction(
    builder: Builder, fields: Fields, call: str, *, other_party: bool = False
) -> dict[str, Any]:
    """Return what every event of a call tells.

    With `other_party` the packet is about a channel that talks with the customer, so the customer
    is the one it is connected to.
    """
    prefix = "ConnectedLine" if other_party else "CallerID"
    number, name = fields.get(f"{prefix}Num", ""), fields.get(f"{prefix}Name", "")
    known = number.lower() not in WITHHELD
    return {
        "conversation": ("call", call),
        "channel": "voice",
        "occurred_at": _time(fields.get("Timestamp", "")),
        "contact_points": (_point(builder, number if known else call),),
        "display_name": None if name.lower() in WITHHELD else short(name),
        "locale": (fields.get("Language", "").replace("_", "-")[:35] or None),
        "reply_to": number if known else None,
        "interaction_id": call,
        "queue": short(fields.get("Queue")),
    }


def _time(written: str) -> datetime | None:
    """Return the time that `timestampevents = yes` adds: Unix seconds with six decimals."""
    found = _SECONDS.fullmatch(written)
    if found is None:
        return None
    seconds, fraction = int(found[1]), int((found[2] or "").ljust(6, "0"))
    return sound(_EPOCH + timedelta(seconds=seconds, microseconds=fraction))


def _point(builder: Builder, caller: str) -> str:
    """Return `tel:` for a number in full, or for one dialled in the option `region`.

    Any other, an extension say, stays within this channel account: a national number without its
    region would be somebody else's in another country.
    """
    region = builder.account.options.get("region")
    if caller.startswith("+") or (region and caller.isascii() and caller.isdigit()):
        try:
            number = phonenumbers.parse(caller, region)
            if phonenumbers.is_valid_number(number):
                e164 = phonenumbers.PhoneNumberFormat.E164
                return contact_point("tel", phonenumbers.format_number(number, e164))
        except (phonenumbers.NumberParseException, InvalidContactPoint):
            pass
    return contact_point("call", f"asterisk-{builder.account.name}/{caller}")
