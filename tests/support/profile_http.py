"""The profile service's HTTP over any database, with a client and no sockets."""

from datetime import datetime
from typing import Any

import httpx

from services.profile.api import create_router
from services.profile.live import Live
from services.profile.pages.routes import Pages
from services.profile.settings import Settings
from shared.http import create_api
from shared.settings import CommonSettings
from tests.support.builders_profile import IDS, NOON


class FixedClock:
    """A clock that stands still until it is set."""

    def __init__(self, now: datetime = NOON) -> None:
        self.time = now

    def now(self) -> datetime:
        """Return the time it was set to."""
        return self.time


def settings(**given: Any) -> Settings:
    """Return settings that need no environment."""
    common = CommonSettings(kafka="unused:1", mongodb="mongodb://unused", id_key="0" * 16)
    return Settings(common=common, **given)


def http(database: Any, live: Live | None = None, **given: Any) -> Any:
    """Return the ASGI application over this database."""
    api, chosen = create_api("Throughline profile", "1"), settings(**given)
    live = live or Live(database)
    api.include_router(create_router(database, IDS, chosen))
    api.include_router(Pages(database, IDS, live, chosen, FixedClock(), heartbeat=0.05).router())
    return api


def client(database: Any, **given: Any) -> httpx.AsyncClient:
    """Return a client of the service's HTTP."""
    transport = httpx.ASGITransport(http(database, **given), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://profile.test")
