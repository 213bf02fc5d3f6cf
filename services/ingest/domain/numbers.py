"""Whole numbers as strangers write them."""

_MOST = 18  # digits: any such number is below 2^63, and no conversion of it takes long


def digits(written: str | None) -> int | None:
    """Return the number that up to 18 ASCII digits write, None for any other text.

    What Python itself takes for digits (`²`) it may not convert, and others than ours it does.
    """
    if written and len(written) <= _MOST and written.isascii() and written.isdigit():
        return int(written)
    return None
