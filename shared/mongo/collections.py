"""What a service keeps: collections and their indexes, declared beside the code that reads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any


@dataclass(frozen=True, slots=True)
class Index:
    """One index: its keys in order, whether unique, over which documents, and for how long.

    `where` makes it partial (a MongoDB filter); `expire_after` removes documents that much later
    than the date in the first key (checked once a minute: for retention only, never for clocks).
    """

    keys: tuple[tuple[str, int], ...]
    unique: bool = False
    where: Mapping[str, Any] | None = None
    expire_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection and its indexes."""

    name: str
    indexes: tuple[Index, ...] = ()
