"""The floor: our own ingest, answering the same requests without publishing anything."""

import sys
from collections.abc import Sequence
from typing import Any

from services.ingest import app
from shared.events import Event


class NoPublisher:
    """Takes events and does nothing with them."""

    def __init__(self, *_: Any) -> None: ...

    async def publish(self, events: Sequence[Event]) -> None:
        """Return."""


if __name__ == "__main__":
    setattr(app, "SafePublisher", NoPublisher)  # noqa: B010 - it is not ours to assign
    sys.exit(app.create_app().run())
