"""Ingest put together: the only place where its objects are built."""

from pathlib import Path

from services.ingest.accounts import load_keys, open_doors
from services.ingest.ami import ami_clients
from services.ingest.api import EventsApi
from services.ingest.domain import limits
from services.ingest.domain.channels import ChannelsPolicy
from services.ingest.domain.gate import Gate
from services.ingest.handlers import Intake
from services.ingest.inbox import Inbox
from services.ingest.metrics import METRICS
from services.ingest.publisher import SafePublisher
from services.ingest.rates import Rates
from services.ingest.settings import Settings
from services.ingest.smtp import MailHandler, serve_mail
from services.ingest.spool import Spool
from services.ingest.store import COLLECTIONS
from services.ingest.webhooks import Webhooks
from shared.clock import SystemClock
from shared.http import Api, create_api
from shared.ids import KeyedIds
from shared.mongo import Database
from shared.policy import load_policy
from shared.service import Service
from shared.settings import load_settings
from shared.streams import Publisher
from shared.version import VERSION


class _LateMeter:
    """Passes on to the service's metrics, which are made after what counts in them."""

    service: Service

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        self.service.metrics.count(name, amount, **labels)

    def observe(self, name: str, value: float, **labels: str) -> None:
        self.service.metrics.observe(name, value, **labels)

    def set(self, name: str, value: float, **labels: str) -> None:
        self.service.metrics.set(name, value, **labels)


def create_http(webhooks: Webhooks, events: EventsApi) -> Api:
    """Return the HTTP side: hooks as raw routes, the events API with its OpenAPI."""
    api = create_api("Throughline ingest", VERSION, body_limit=limits.BODY)
    api.serve_raw("/hooks/", webhooks.routes())
    api.include_router(events.router())
    return api


def create_app(settings: Settings | None = None) -> Service:
    """Return ingest, ready to run; reads `channels.yaml` and its secrets, connects to nothing."""
    settings = settings or load_settings(Settings)
    common = settings.common
    policy = load_policy(Path(common.policy) / "channels.yaml", ChannelsPolicy).content
    doors, keys = open_doors(policy), load_keys(policy)
    database = Database(common.mongodb, common.database("ingest"))
    publisher = Publisher(common.kafka, common.prefix)
    meter = _LateMeter()
    ids = KeyedIds(common.id_key.get_secret_value())
    clock = SystemClock()
    spool = Spool(publisher, database, clock, meter, settings.spool_bytes)
    intake = Intake(SafePublisher(spool), database, clock, ids, meter)
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
        tasks=(smtp, spool.run, *(client.run for client in ami_clients(doors, intake))),
    )
    return meter.service
