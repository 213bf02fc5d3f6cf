"""Which conversation a mail belongs to, and the marks our own mail carries to be found again.

Two marks, both signed under the deployment's id key: the token in the address a customer answers
to (`plus_address`), good for whoever writes to it; and the token in the Message-ID of our mail,
good only from the address that mail went to, because programs copy Message-IDs into what they
forward to strangers.
"""

import base64
import binascii
import hmac
import re
from dataclasses import dataclass
from typing import Literal

from services.ingest.domain.plus_address import conversation_of, token_in, with_token
from shared.case_reference import parse_case_reference
from shared.ids import KeyedIds

_ID_BYTES = 16
_PROOF_BYTES = 10  # 80 bits: nobody guesses one by sending mail
_TOKEN_LENGTH = 42  # base32 of both
_CONVERSATION = re.compile(r"conv_([0-9a-f]{32})\Z")
_OUR_ID = re.compile(r"[^@]{1,150}\.([a-z2-7]{42})@", re.IGNORECASE)
_GROUP = "[34679ACDEFGHJKMNPQRTWXY]{3}"
_CASE_REFERENCE = re.compile(rf"(?<![A-Z0-9]){_GROUP}[-‐‑–]{_GROUP}[-‐‑–]{_GROUP}(?![A-Z0-9])")


@dataclass(frozen=True, slots=True)
class MailTrace:
    """What a mail tells about where it belongs; ids are without their angle brackets.

    `mailbox` is our address, `sender` the sender's contact point, `addressed` every address the
    mail was sent to, `answers` the ids it answers (the best first), `opening` the id of the first
    mail of its thread, as far as it knows.
    """

    mailbox: str
    sender: str
    addressed: tuple[str, ...]
    answers: tuple[str, ...]
    opening: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A conversation, and what it was chosen by."""

    conversation_id: str
    by: Literal["address", "answer", "thread"]


def choose_conversation(
    trace: MailTrace, ids: KeyedIds, provider: str, channel_account: str
) -> Choice:
    """Return the conversation of a mail: the first of these that it has.

    1. A token of ours for this mailbox in an address it was sent to: whoever writes there.
    2. A Message-ID of ours that it answers and that we sent to this very sender.
    3. The first mail of its thread *with this sender* on this channel account: that is the same
       for each mail of a thread, and another one for a stranger who quotes it.

    A conversation of another channel account never counts: it stays where it began.

    A case reference in the subject is not asked here: it counts only from a known sender, and who
    is known is profile's knowledge. It goes along in the event (`raw.case_reference`), so that
    routing can link the case.
    """
    for address in trace.addressed:
        found = _of_address(address, trace.mailbox, ids)
        if found and ids.is_conversation_of(found, provider, channel_account):
            return Choice(found, "address")
    for message_id in trace.answers:
        found = conversation_of_message_id(message_id, trace.sender, ids)
        if found and ids.is_conversation_of(found, provider, channel_account):
            return Choice(found, "answer")
    thread = ids.conversation_id(provider, channel_account, trace.opening, trace.sender)
    return Choice(thread, "thread")


def message_token(conversation_id: str, recipient: str, ids: KeyedIds) -> str | None:
    """Return what in a Message-ID of ours names the conversation, to this contact point only."""
    return _token(conversation_id, ids, recipient)


def conversation_of_message_id(message_id: str, contact_point: str, ids: KeyedIds) -> str | None:
    """Return the conversation of a Message-ID of ours to this contact point; else None."""
    found = _OUR_ID.match(message_id)
    return _opened(found.group(1), ids, contact_point) if found else None


def case_reference_in(subject: str | None) -> str | None:
    """Return the first true case reference in a subject, None without one."""
    for found in _CASE_REFERENCE.findall((subject or "").upper()):
        reference = parse_case_reference(re.sub("[‐‑–]", "-", found))
        if reference:
            return reference
    return None


def _of_address(address: str, mailbox: str, ids: KeyedIds) -> str | None:
    """Return the conversation that the token in an address of this mailbox names, if it is one."""
    bare = address.strip().strip("<>")
    token = token_in(bare)
    if token is None or with_token(mailbox, token) != bare.lower():
        return None
    return conversation_of(ids, token)


def _token(conversation_id: str, ids: KeyedIds, bound_to: str) -> str | None:
    found = _CONVERSATION.match(conversation_id)
    if not found:
        return None
    whole = bytes.fromhex(found.group(1)) + _proof(conversation_id, ids, bound_to)
    return base64.b32encode(whole).decode("ascii").rstrip("=").lower()


def _opened(token: str, ids: KeyedIds, bound_to: str) -> str | None:
    if len(token) != _TOKEN_LENGTH:
        return None
    try:
        whole = base64.b32decode(token.upper() + "=" * 6)
    except (binascii.Error, ValueError):
        return None
    conversation_id = f"conv_{whole[:_ID_BYTES].hex()}"
    proof = _proof(conversation_id, ids, bound_to)
    return conversation_id if hmac.compare_digest(whole[_ID_BYTES:], proof) else None


def _proof(conversation_id: str, ids: KeyedIds, bound_to: str) -> bytes:
    return bytes.fromhex(ids.seal("message-id", bound_to, conversation_id))[:_PROOF_BYTES]
