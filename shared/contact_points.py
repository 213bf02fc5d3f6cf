"""Contact points: one written form for each address of a customer, `scheme:value`.

Two ways to write the same address give the same contact point, so that the same person is found
on every channel: telephone numbers in E.164 (ITU-T; with the variants of Argentina, Brazil and
Mexico folded, an extension kept as in RFC 3966), e-mail addresses in lower case with an ASCII
domain (IDNA, RFC 5891). No code may expect a customer to have any particular scheme.
"""

from functools import lru_cache

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from shared.errors import ThroughlineError

_MAX_VALUE = 320  # an e-mail address: 64 + 1 + 255 (RFC 5321 §4.5.3.1)
_CACHE = 16_384  # addresses repeat within minutes; 16 k of them are about 3 MB


class InvalidContactPoint(ThroughlineError):
    """What was given as a contact point cannot be one."""


def contact_point(scheme: str, value: str) -> str:
    """Return the contact point for an address, in its one written form.

    Raises `InvalidContactPoint` for an empty or impossible address. The address itself is never
    part of the error.
    """
    scheme = scheme.strip().lower()
    if not scheme or not scheme.replace("-", "").isalnum() or not scheme.isascii():
        raise InvalidContactPoint(
            "The scheme of a contact point is not a word.", "Write it as scheme:value, say tel:+…"
        )
    value = value.strip()
    if not value or len(value) > _MAX_VALUE or not value.isprintable():
        raise InvalidContactPoint(
            f"The value of a {scheme}: contact point is empty, too long or not printable.",
            f"Give 1 to {_MAX_VALUE} printable characters.",
        )
    normalise = _NORMALISERS.get(scheme)
    return f"{scheme}:{normalise(value) if normalise else value}"


def parse_contact_point(written: str) -> str:
    """Return the one written form of `scheme:value`."""
    scheme, separator, value = written.partition(":")
    if not separator:
        raise InvalidContactPoint(
            "A contact point has no scheme.", "Write it as scheme:value, say email:ana@example.com."
        )
    return contact_point(scheme, value)


@lru_cache(_CACHE)
def _telephone(value: str) -> str:
    e164 = phonenumbers.PhoneNumberFormat.E164
    try:
        given = phonenumbers.parse(value if value.startswith("+") else f"+{value}", None)
        # folded before it is judged: Mexico's old form, which WhatsApp still writes, is too long
        written = phonenumbers.format_number(given, e164)
        folded = _fold_mobile_variant(written)
        judged = given if folded == written else phonenumbers.parse(folded, None)
        possible = phonenumbers.is_possible_number(judged)
    except phonenumbers.NumberParseException:
        possible = False
    if not possible:
        raise InvalidContactPoint(
            "A telephone number is not a possible international number.",
            "Give it with its country code, as in +386 40 123 456.",
        )
    # RFC 3966: behind one switchboard there are many people, and each has an extension
    return f"{folded};ext={given.extension}" if given.extension else folded


def _fold_mobile_variant(e164: str) -> str:
    """Fold the two written forms of one mobile number (they would split one person in two)."""
    if e164.startswith("+549") and len(e164) == 14:  # Argentina: +54 9 … from abroad
        return f"+54{e164[4:]}"
    if e164.startswith("+521") and len(e164) == 14:  # Mexico: +52 1 … until 2019
        return f"+52{e164[4:]}"
    if e164.startswith("+55") and len(e164) == 14 and e164[5] == "9" and e164[6] in "6789":
        # Brazil: the ninth digit, which not all providers send. A mobile number whose next digit
        # is 2 to 5 never had eight of them: without the 9 it is somebody's landline.
        return f"+55{e164[3:5]}{e164[6:]}"
    return e164


@lru_cache(_CACHE)
def _email(value: str) -> str:
    try:
        address = validate_email(
            value, check_deliverability=False, allow_quoted_local=True, test_environment=True
        )
    except EmailNotValidError:
        raise InvalidContactPoint(
            "An e-mail address is not valid.", "Give it as name@domain."
        ) from None
    # RFC 5321 lets a host tell upper from lower case in the local part; in practice none does,
    # and two customers for Ana@ and ana@ is what people complain about.
    domain = address.ascii_domain or address.domain
    return f"{address.local_part}@{domain}".lower()


_NORMALISERS = {"tel": _telephone, "email": _email}
