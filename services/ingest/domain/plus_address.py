"""Plus-addresses that name a conversation: `support+r….@example.com`.

What we write to a customer asks for answers to such an address. The token holds the conversation's
id (128 bits) and a signature of it (64 bits) under the deployment's key, so an answer finds its
conversation whatever a mail program does to the other headers, and nobody can make up a token for
a conversation that was never shown to them. Lower-case base32: mail systems change the case.
"""

import base64
import hmac
import re

from shared.ids import KeyedIds

_CONVERSATION = re.compile(r"conv_([0-9a-f]{32})")
_TOKEN = re.compile(r"r([a-z2-7]{39})")
_ID_BYTES = 16
_SEAL_DIGITS = 16  # 64 bits: a guess a second for a century hits with a chance of 2e-10
_LOCAL_PART = 64  # RFC 5321 §4.5.3.1.1


def plus_token(ids: KeyedIds, conversation_id: str) -> str | None:
    """Return the token that names a conversation; None for an id that is not ours."""
    found = _CONVERSATION.fullmatch(conversation_id)
    if found is None:
        return None
    seal = ids.seal("plus-address", conversation_id)[:_SEAL_DIGITS]
    raw = bytes.fromhex(found[1] + seal)
    return "r" + base64.b32encode(raw).decode().rstrip("=").lower()


def conversation_of(ids: KeyedIds, token: str) -> str | None:
    """Return the conversation a token names, or None if it is not one of ours."""
    token = token.lower()
    found = _TOKEN.fullmatch(token)
    if found is None:
        return None
    raw = base64.b32decode(found[1].upper() + "=")
    conversation_id = f"conv_{raw[:_ID_BYTES].hex()}"
    ours = plus_token(ids, conversation_id) or ""
    return conversation_id if hmac.compare_digest(ours, token) else None


def with_token(address: str, token: str | None) -> str | None:
    """Return the mailbox's plus-address; None without a token or room for it."""
    local, at, domain = address.rpartition("@")
    local = local.partition("+")[0]
    if token is None or not at or not local or len(local) + 1 + len(token) > _LOCAL_PART:
        return None
    return f"{local}+{token}@{domain}"


def token_in(address: str) -> str | None:
    """Return what stands behind the plus of an address, in lower case; None without one."""
    _, plus, token = address.rpartition("@")[0].partition("+")
    return token.lower() if plus and token else None
