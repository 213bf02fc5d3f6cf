"""Case references: short numbers a customer can read out and an agent can type.

Nine characters in three groups, such as `7KF-M3X-QPW`: eight carry the number, the last checks
it. The 23 characters leave out all that are confused in print (0/O, 1/I/L, 2/Z, 5/S, 8/B, U/V).
Because 23 is prime and the weights differ, every single wrong character and every swap of two
characters is detected (the weighted-sum scheme of ISBN-10, ISO 2108, with another modulus).
"""

import hashlib

ALPHABET = "34679ACDEFGHJKMNPQRTWXY"
_MODULUS = len(ALPHABET)
_NUMBER_LENGTH = 8  # 23^8 = 7.8e10 references
_VALUES = {character: value for value, character in enumerate(ALPHABET)}


def _check_character(number: str) -> str:
    weighted = sum((place + 2) * _VALUES[character] for place, character in enumerate(number))
    return ALPHABET[-weighted % _MODULUS]


def case_reference(case_id: str, attempt: int = 0) -> str:
    """Return the reference of a case; another `attempt` gives another one if it is taken."""
    seed = hashlib.blake2b(f"{case_id}/{attempt}".encode(), digest_size=8).digest()
    rest = int.from_bytes(seed, "big")
    characters = []
    for _ in range(_NUMBER_LENGTH):
        rest, value = divmod(rest, _MODULUS)
        characters.append(ALPHABET[value])
    number = "".join(characters)
    whole = number + _check_character(number)
    return f"{whole[:3]}-{whole[3:6]}-{whole[6:]}"


def parse_case_reference(written: str) -> str | None:
    """Return the reference in its one true form, or None if it was misheard or mistyped.

    Case, spaces and hyphens do not matter.
    """
    whole = "".join(written.upper().replace("-", " ").split())
    if len(whole) != _NUMBER_LENGTH + 1 or any(character not in _VALUES for character in whole):
        return None
    if _check_character(whole[:-1]) != whole[-1]:
        return None
    return f"{whole[:3]}-{whole[3:6]}-{whole[6:]}"
