"""Ingest put together: the only place where its objects are built."""

from pathlib import Path

from fastapi import FastAPI

from services.ingest.accounts import load_keys, open_doors
from services.ingest.api import EventsApi
from services.ingest.domain import limits
from services.ingest.domain.channels import ChannelsPolicy
from services.ingest.domain.gate import Gate
from services.ingest.handlers import Intake
from services.ingest.inbox import Inbox
from services.ingest.metrics import METRICS
from services.ingest.rates import Rates
from services.ingest.settings import Settings
from services.ingest.smtp import MailHandler, serve_mail
from services.ingest.store import COLLECTIONS
from services.ingest.webhooks import Webhooks
from shared.clock import SystemClock
from shared.contracts import CONTRACT_VERSION
from shared.contracts.routes import contract_routes
from shared.http import create_api
from shared.ids import KeyedIds
from shared.mongo import Database
from shared.policy import load_policy
from shared.service import Service
from shared.settings import load_settings
from shared.streams import Publisher


class _LateMeter:
    """Passes on to the service's metrics, which are made after what counts in them."""

    service: Service

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        self.service.metrics.count(name, amount, **labels)

    def observe(self, name: str, value: float, **labels: str) -> None:
        self.service.metrics.observe(name, value, **labels)


def create_http(webhooks: Webhooks, events: EventsApi) -> FastAPI:
    """Return the HTTP side: hooks as raw routes, the events API with its OpenAPI."""
    api = create_api("Throughline ingest", CONTRACT_VERSION, body_limit=limits.BODY_META)
    api.router.routes.extend(webhooks.routes())
    api.include_router(events.router())
    api.router.routes.extend(contract_routes("ingest", api))
    return api


def create_app(settings: Settings | None = None) -> Service:
    """Return ingest, ready to run; reads `channels.yaml` and its secrets, connects to nothing."""
    settings = settings or load_settings(Settings)
    common = settings.common
    policy = load_policy(Path(common.policy) / "channels.yaml", ChannelsPolicy).content
    doors, keys = open_doors(policy), load_keys(policy)
    database = Database(common.mongodb, common.database("ingest"))
    publisher = Publisher(common.kafka, common.prefix, "ingest")
    meter = _LateMeter()
    ids = KeyedIds(common.id_key.get_secret_value())
    intake = Intake(publisher, database, SystemClock(), ids, meter)
    mail = MailHandler(doors, intake)
    events = EventsApi(keys, intake, Gate(), Rates(policy.rates))

    async def smtp() -> None:
        await serve_mail(mail, settings.smtp_host, settings.smtp_port, settings.smtp_name)

    meter.service = Service(
        "ingest",
        settings,
        database=database,
        publisher=publisher,
        processors=(Inbox(policy.inbox, ids).processor(),),
        collections=COLLECTIONS,
        metrics=METRICS,
        http=create_http(Webhooks(doors, intake, Gate()), events),
        tasks=(smtp,),
    )
    return meter.service
