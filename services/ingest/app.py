"""Ingest put together: the only place where its objects are built."""

import secrets
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from starlette.routing import BaseRoute

from services.ingest.accounts import load_keys, open_doors
from services.ingest.ami import ami_clients
from services.ingest.api import EventsApi
from services.ingest.attachments import Attachments
from services.ingest.chat.account import read_chat_accounts
from services.ingest.chat.live import ChatLive, Watched
from services.ingest.chat.pages import ChatPages
from services.ingest.chat.presence import NothingKnown, Presence
from services.ingest.chat.server import ChatServer
from services.ingest.chat.sessions import ChatSessions
from services.ingest.chat.socket import Chat
from services.ingest.chat.store import ChatDatabase, ChatStore
from services.ingest.domain import limits
from services.ingest.domain.channels import ChannelsPolicy
from services.ingest.domain.gate import Gate
from services.ingest.handlers import Intake
from services.ingest.inbox import Inbox
from services.ingest.metrics import METRICS, Meter
from services.ingest.outgoing import Guard
from services.ingest.publisher import SafePublisher
from services.ingest.rates import Rates
from services.ingest.readers import IsolatedReader
from services.ingest.replies import conversation_index
from services.ingest.replies.api import ReplyApi
from services.ingest.replies.outbox import Outbox
from services.ingest.replies.store import ReplyStore
from services.ingest.replies.taking import Replies
from services.ingest.settings import PARTS, Settings
from services.ingest.smtp import MailHandler, MailProtocol, serve_mail
from services.ingest.spool import Spool
from services.ingest.store import COLLECTIONS
from services.ingest.webhooks import Webhooks
from shared.clock import SystemClock
from shared.contracts import CONTRACT_VERSION
from shared.contracts.routes import contract_routes
from shared.http import Api, create_api
from shared.ids import KeyedIds
from shared.mongo import Database
from shared.observability import Progress
from shared.policy import load_policy
from shared.service import Service
from shared.settings import load_settings
from shared.streams import Publisher

T = TypeVar("T")


class _LateMeter:
    """Passes on to the service's metrics, which are made after what counts in them."""

    service: Service

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        self.service.metrics.count(name, amount, **labels)

    def observe(self, name: str, value: float, **labels: str) -> None:
        self.service.metrics.observe(name, value, **labels)

    def set(self, name: str, value: float, **labels: str) -> None:
        self.service.metrics.set(name, value, **labels)


def _of_parts(settings: Settings, **of: tuple[T, ...]) -> tuple[T, ...]:
    """Return what the parts that this process plays are made of."""
    return tuple(one for part in PARTS if part in settings.parts for one in of.get(part, ()))


def create_http(
    webhooks: Webhooks, *apis: EventsApi | ReplyApi, chat: Sequence[BaseRoute] = ()
) -> Api:
    """Return the HTTP side: hooks and chat as raw routes, the APIs with their OpenAPI."""
    api = create_api("Throughline ingest", CONTRACT_VERSION, body_limit=limits.BODY)
    api.serve_raw("/hooks/", webhooks.take)
    api.router.routes.extend(chat)
    for one in apis:
        api.include_router(one.router())
    api.router.routes.extend(contract_routes("ingest", api))
    return api


class _ChatDatabase(ChatDatabase, Watched, Protocol):
    """What the chat needs of a database; `shared.mongo.Database` is one."""


def create_chat(
    database: _ChatDatabase, intake: Intake, meter: Meter, presence: Presence | None = None
) -> tuple[Chat, ChatLive]:
    """Return what all chat sockets share, and what wakes them (it must run)."""
    live, store = ChatLive(database, meter), ChatStore(database, intake.clock)
    chat = Chat(
        sessions=ChatSessions(intake, store),
        store=store,
        live=live,
        presence=presence or NothingKnown(),
        clock=intake.clock,
        meter=meter,
        new_token=partial(secrets.token_urlsafe, 32),
    )
    return chat, live


def create_app(settings: Settings | None = None) -> Service:
    """Return ingest, ready to run; reads `channels.yaml` and its secrets, connects to nothing."""
    settings = settings or load_settings(Settings)
    common = settings.common
    policy = load_policy(Path(common.policy) / "channels.yaml", ChannelsPolicy).content
    doors, keys = open_doors(policy), load_keys(policy)
    database = Database(common.mongodb, common.database("ingest"))
    publisher = Publisher(common.kafka, common.prefix, "ingest")
    meter = _LateMeter()
    ids, clock = KeyedIds(common.id_key.get_secret_value()), SystemClock()
    spool = Spool(publisher, database, clock, meter, settings.spool_bytes)
    safe, reader = SafePublisher(spool), IsolatedReader()
    intake = Intake(safe, database, clock, ids, meter, reader)
    mail = MailHandler(doors, intake, draining=lambda: meter.service.health.draining)
    guard = Guard(settings.outgoing_allow.split(","))
    attachments = Attachments(database, doors, guard, ids, reader)
    chats = read_chat_accounts(doors)
    chat, live = create_chat(database, intake, meter)
    outbox = Outbox(
        ReplyStore(database),
        doors,
        guard,
        publisher,
        attachments,
        deliver=chat.store.deliver,
        clock=clock,
        meter=meter,
    )
    replies = Replies(database, doors, clock, ids, outbox.wake)
    rates = Rates(policy.rates)  # one limit of requests for all APIs
    chat_server = ChatServer(chat, chats, settings.chat_sockets, settings.chat_sockets_per_peer)
    chat_pages = ChatPages(chats, demo=settings.chat_demo)

    async def mails(health: Progress) -> None:
        ports: dict[MailProtocol, int | None] = {
            "smtp": settings.smtp_port,
            "lmtp": settings.lmtp_port,
        }
        try:
            await serve_mail(mail, settings.smtp_host, ports, settings.smtp_name, health)
        finally:
            await reader.close()

    meter.service = Service(
        "ingest",
        settings,
        database=database,
        publisher=publisher,
        processors=_of_parts(
            settings,
            inbox=(Inbox(policy.inbox, ids).processor(),),
            replies=(conversation_index.processor(),),
        ),
        collections=COLLECTIONS,
        metrics=METRICS,
        http=create_http(
            Webhooks(doors, intake, Gate()),
            EventsApi(keys, intake, Gate(), rates),
            ReplyApi(keys, replies, attachments, clock, rates),
            chat=[*chat_server.routes(), *chat_pages.routes()],
        ),
        tasks=(
            spool.run,  # whatever this process does, it may publish
            *_of_parts(
                settings,
                doors=(
                    mails,
                    *(client.run for client in ami_clients(doors, intake)),
                    *((live.run, chat_server.tend) if chats else ()),
                ),
                replies=(outbox.run,),
            ),
        ),
        on_stop=(chat_server.drain,),
        drains=(outbox.drain,),
    )
    return meter.service
