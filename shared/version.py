"""Which version of the code is running; it is on every dead letter."""

from importlib.metadata import PackageNotFoundError, version


def _installed() -> str:
    try:
        return version("throughline")
    except PackageNotFoundError:
        return "source"


VERSION = _installed()
