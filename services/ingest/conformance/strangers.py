"""Somebody else's secrets: of the same form as an account's own, but not the same."""

import base64
from dataclasses import replace

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from services.ingest.adapters.request import ChannelAccount
from services.ingest.conformance.folder import Folder

_RSA_BITS = 2048


def rotated(account: ChannelAccount) -> ChannelAccount | None:
    """Return the account as it signs with its other live secret, or None if it has one only."""
    if all(len(values) < 2 for values in account.secrets.values()):
        return None
    turned = {name: (*values[1:], values[0]) for name, values in account.secrets.items()}
    return replace(account, secrets=turned)


def stranger(folder: Folder) -> ChannelAccount:
    """Return an account with other secrets, those of `stranger` in account.json first."""
    account, given = folder.account(), folder.stranger()
    others = {
        name: (given.get(name) or other_secret(values[0]),)
        for name, values in account.secrets.items()
        if values
    }
    return replace(account, secrets=others)


def mixed_up(account: ChannelAccount) -> ChannelAccount | None:
    """Return the account with its secrets under each other's names, or None if it has one only."""
    values = list(account.secrets.values())
    if len(values) < 2 or len({value[0] for value in values if value}) < 2:
        return None
    return replace(
        account, secrets=dict(zip(account.secrets, values[1:] + values[:1], strict=True))
    )


def without_key(account: ChannelAccount) -> ChannelAccount:
    """Return the account with empty secrets: what a careless receiver would accept."""
    return replace(account, secrets=dict.fromkeys(account.secrets, (b"",)))


def other_secret(value: bytes) -> bytes:
    """Return another secret of the same form: a new private key for a private key.

    Of any other text the middle is turned round, so that prefix, length and alphabet stay.
    """
    for encoded in (False, True):
        key = _private_key(value, encoded)
        if key is not None:
            return _like(key, encoded)
    start, end = len(value) // 4, len(value) - len(value) // 4
    middle = value[start:end]
    turned = middle[::-1] if middle[::-1] != middle else middle[1:] + b"x"
    return value[:start] + turned + value[end:]


def _private_key(value: bytes, encoded: bool) -> PrivateKeyTypes | None:
    try:
        if encoded:
            return serialization.load_der_private_key(base64.b64decode(value, validate=True), None)
        return serialization.load_pem_private_key(value, None)
    except Exception:  # whatever it is, it is no private key
        return None


def _like(key: PrivateKeyTypes, encoded: bool) -> bytes:
    new: PrivateKeyTypes
    if isinstance(key, ec.EllipticCurvePrivateKey):
        new = ec.generate_private_key(key.curve)
    elif isinstance(key, ed25519.Ed25519PrivateKey):
        new = ed25519.Ed25519PrivateKey.generate()
    else:
        new = rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    form = serialization.Encoding.DER if encoded else serialization.Encoding.PEM
    raw = new.private_bytes(form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return base64.b64encode(raw) if encoded else raw
