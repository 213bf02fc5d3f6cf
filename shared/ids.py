"""Deterministic ids: the same fact always gets the same id, so a redelivery changes nothing.

Ids made from what a provider or a cause names need no secret. Ids made from a person's address
are keyed (BLAKE2b, RFC 7693, under the deployment's id key): without the key nobody can tell from
an id whether a given address was here, and an id does not outlive the erasure of its key.
"""

import hashlib
import hmac
import re

_ID_BYTES = 16  # 128 bits: a collision among 10^12 ids has a chance of about 10^-15
# of the id of a conversation or a blob: 96 bits tell them apart (10^10 of them collide with a
# chance of 6e-10), 32 seal the account: another account's id passes for ours once in 4 * 10^9
_ACCOUNT_DIGITS = 8
_BLOB = re.compile(r"blob_[0-9a-f]{32}")
_CONVERSATION = re.compile(r"conv_[0-9a-f]{32}")
_SEPARATOR = "\x1f"  # cannot occur in the parts' own syntax, so ("a", "bc") != ("ab", "c")


def _digest(kind: str, parts: tuple[str, ...], key: bytes = b"") -> str:
    joined = _SEPARATOR.join((kind, *parts)).encode("utf-8", "surrogatepass")
    return f"{kind}_{hashlib.blake2b(joined, digest_size=_ID_BYTES, key=key).hexdigest()}"


def provider_event_id(provider: str, channel_account: str, own_id: str) -> str:
    """Return the id of a contact event from its provider, channel account and provider's own id."""
    return _digest("evt", (provider, channel_account, own_id))


def derived_id(kind: str, *parts: str) -> str:
    """Return the id of what follows from other ids, such as a case from its first event.

    `kind` becomes the prefix (`case`, `work`, `offer`, `clock`, `evt`), `parts` name the cause.
    """
    return _digest(kind, parts)


def is_conversation_id(given: str) -> bool:
    """Say whether this is written as an id of a conversation, of whatever account."""
    return _CONVERSATION.fullmatch(given) is not None


class KeyedIds:
    """Makes ids from people's addresses under the deployment's key."""

    def __init__(self, key: str) -> None:
        # BLAKE2b takes keys up to 64 bytes; hashing first lets operators use any length.
        self._key = hashlib.sha256(key.encode()).digest()

    def conversation_id(self, provider: str, channel_account: str, *thread: str) -> str:
        """Return the id of the thread that `thread` (say, a number) has on one channel account.

        Its last 32 bits seal the account, so that an id shows whose it is (`is_conversation_of`).
        """
        return self._sealed("conv", provider, channel_account, thread)

    def is_conversation_of(self, given: str, provider: str, channel_account: str) -> bool:
        """Say whether `given` is the id of a conversation on this channel account.

        Ids travel (in plus-addresses, in events), so knowing one proves nothing by itself.
        """
        return is_conversation_id(given) and self._bears_seal(given, provider, channel_account)

    def blob_id(self, provider: str, channel_account: str, *parts: str) -> str:
        """Return the id of bytes that came through one channel account; it seals the account."""
        return self._sealed("blob", provider, channel_account, parts)

    def is_blob_of(self, given: str, provider: str, channel_account: str) -> bool:
        """Say whether `given` is the id of a blob that came through this channel account."""
        return _BLOB.fullmatch(given) is not None and self._bears_seal(
            given, provider, channel_account
        )

    def _sealed(
        self, kind: str, provider: str, channel_account: str, parts: tuple[str, ...]
    ) -> str:
        whole = _digest(kind, (provider, channel_account, *parts), self._key)
        named = whole[:-_ACCOUNT_DIGITS]
        return named + self._account_seal(named, provider, channel_account)

    def _bears_seal(self, given: str, provider: str, channel_account: str) -> bool:
        ours = self._account_seal(given[:-_ACCOUNT_DIGITS], provider, channel_account)
        return hmac.compare_digest(given[-_ACCOUNT_DIGITS:], ours)

    def _account_seal(self, named: str, provider: str, channel_account: str) -> str:
        return self.seal("account", named, provider, channel_account)[:_ACCOUNT_DIGITS]

    def customer_id(self, contact_point: str) -> str:
        """Return the id of the customer first known by this contact point."""
        return _digest("cust", (contact_point,), self._key)

    def seal(self, kind: str, *parts: str) -> str:
        """Return a signature of `parts` in 32 hex digits: nobody can make one without the key."""
        return _digest(kind, parts, self._key)[-2 * _ID_BYTES :]
