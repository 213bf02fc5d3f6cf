"""Builds the profile service: the only place where its objects are made."""

from fastapi import FastAPI

from services.profile.api import create_router
from services.profile.handlers import NAME, Handlers
from services.profile.live import Live
from services.profile.metrics import METRICS
from services.profile.pages.routes import Pages
from services.profile.settings import Settings
from services.profile.store import COLLECTIONS
from shared.clock import SystemClock
from shared.contracts import CONTRACT_VERSION
from shared.contracts.routes import contract_routes
from shared.http import create_api
from shared.ids import KeyedIds
from shared.mongo import Database
from shared.service import Service
from shared.settings import load_settings
from shared.streams import Publisher


def create_app(settings: Settings | None = None) -> Service:
    """Return the profile service, ready to run."""
    settings = settings or load_settings(Settings)
    common = settings.common
    ids = KeyedIds(common.id_key.get_secret_value())
    database = Database(common.mongodb, common.database(NAME))
    live = Live(database)
    service = Service(
        NAME,
        settings,
        database=database,
        publisher=Publisher(common.kafka, common.prefix, "profile"),
        processors=(Handlers(ids).processor(),),
        collections=COLLECTIONS,
        metrics=METRICS,
        http=create_http(database, ids, live, settings),
        tasks=(live.run,),
    )
    live.measure(service.metrics)
    return service


def create_http(database: Database, ids: KeyedIds, live: Live, settings: Settings) -> FastAPI:
    """Return the API and the pages as one ASGI application."""
    http = create_api("Throughline profile", CONTRACT_VERSION)
    http.include_router(create_router(database, ids, settings))
    http.include_router(Pages(database, ids, live, settings, SystemClock()).router())
    http.router.routes.extend(contract_routes(NAME, http))
    return http
