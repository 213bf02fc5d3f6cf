"""Builders for ingest: accounts, signed requests, and an ingest with a fake Kafka behind it."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from services.ingest.accounts import ApiKey, Door
from services.ingest.adapters.registry import ADAPTERS
from services.ingest.adapters.request import RawRequest
from services.ingest.conformance.folder import Folder
from services.ingest.domain.channels import ApiKeyPolicy
from services.ingest.domain.mail_thread import message_token
from services.ingest.handlers import Intake
from services.ingest.metrics import METRICS
from shared.errors import Unavailable
from shared.events import Event
from shared.ids import KeyedIds
from shared.observability.metrics import Metrics

PAYLOADS = Path(__file__).parent / "payloads"
NOW = datetime(2026, 11, 3, 9, 15, tzinfo=UTC)
IDS = KeyedIds("a key for tests only")
PUBLIC_URL = "https://hooks.example.com/hooks/twilio/main"
FORM = "application/x-www-form-urlencoded"

FOLDERS = {provider: Folder(provider, PAYLOADS / provider) for provider in ADAPTERS}
ACCOUNTS = {provider: folder.account() for provider, folder in FOLDERS.items()}
DOORS = {
    (account.provider, account.name): Door(ADAPTERS[account.provider], account)
    for account in ACCOUNTS.values()
}


def payload(provider: str, name: str) -> bytes:
    """Return the bytes of one fixture."""
    return FOLDERS[provider].path(name).read_bytes()


def payload_names(provider: str) -> list[str]:
    """Return the names of all fixtures of a provider."""
    return FOLDERS[provider].names()


def plain(provider: str) -> str:
    """Return the name of the fixture that shows a customer's plain message (or call, or form)."""
    name: str = FOLDERS[provider].about()["shows"]["message"]
    return name


def request(provider: str, body: bytes, **headers: bytes) -> RawRequest:
    """Return an unsigned request with the provider's content type (or a mail's envelope)."""
    given = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    usual = FOLDERS[provider].headers(plain(provider))
    if provider == "email" and given:
        usual = tuple(pair for pair in usual if pair[0] != "envelope-from")
    return RawRequest(body, (*given, *usual))


def signed(provider: str, body: bytes, now: datetime = NOW, query: str = "") -> RawRequest:
    """Return a request as the provider signs it."""
    given = replace(request(provider, body), query=query)
    return ADAPTERS[provider].scheme.sign(given, ACCOUNTS[provider], now)


def parse(provider: str, name: str, **headers: bytes) -> Any:
    """Return what the adapter makes of one fixture."""
    adapter = ADAPTERS[provider]
    return adapter.parse(
        request(provider, payload(provider, name), **headers), ACCOUNTS[provider], NOW, IDS
    )


def sign_whatsapp(body: bytes, secret: bytes = b"app-secret") -> str:
    """Return the value of X-Hub-Signature-256."""
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def sign_twilio(body: bytes, secret: bytes = b"auth-token", url: str = PUBLIC_URL) -> str:
    """Return the value of X-Twilio-Signature over a form."""
    pairs = sorted(set(parse_qsl(body.decode(), keep_blank_values=True)))
    signed = url + "".join(name + value for name, value in pairs)
    return base64.b64encode(hmac.new(secret, signed.encode(), hashlib.sha1).digest()).decode()


@dataclass
class StoppedClock:
    """A clock that stands still."""

    time: datetime = NOW

    def now(self) -> datetime:
        """Return the time it stands at."""
        return self.time


@dataclass
class FakePublisher:
    """Remembers what it was given; `down` makes it fail as Kafka does."""

    down: bool = False
    events: list[Event] = field(default_factory=list)

    async def publish(self, events: Sequence[Event]) -> None:
        """Take events, or fail."""
        if self.down:
            raise Unavailable("Kafka did not acknowledge in time.", "Try again.")
        self.events.extend(events)


@dataclass
class FakeStore:
    """A store in memory; `down` makes it fail as MongoDB does."""

    down: bool = False
    kept: dict[str, bytes] = field(default_factory=dict)
    documents: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    async def insert(self, collection: str, document: dict[str, Any]) -> bool:
        """Add a document unless its `_id` is taken, or fail."""
        self._require_up()
        key = collection, document["_id"]
        return self.documents.setdefault(key, document) is document

    async def find_one(self, collection: str, where: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return a document by its `_id`, or fail."""
        self._require_up()
        return self.documents.get((collection, where["_id"]))

    async def put_blob(self, blob_id: str, data: bytes) -> None:
        """Keep bytes, or fail."""
        self._require_up()
        self.kept[blob_id] = data

    def _require_up(self) -> None:
        if self.down:
            raise Unavailable("MongoDB does not answer.", "Try again.")


@dataclass
class Fakes:
    """An intake with everything behind it in memory."""

    publisher: FakePublisher = field(default_factory=FakePublisher)
    blobs: FakeStore = field(default_factory=FakeStore)
    clock: StoppedClock = field(default_factory=StoppedClock)
    meter: Metrics = field(default_factory=lambda: Metrics(METRICS))

    def intake(self) -> Intake:
        """Return the intake."""
        return Intake(self.publisher, self.blobs, self.clock, IDS, self.meter)

    def types(self) -> list[str]:
        """Return the types of what was published, in order."""
        return [event.type for event in self.publisher.events]


API_KEY = "demo.a-secret-of-the-demo-shop"


def api_keys(**changes: Any) -> dict[str, ApiKey]:
    """Return the demo integrator's key; its shop is a system of record."""
    named = {"integrator": "demo-shop", "prefix": "demo", "sha256": "env:X"}
    policy = {**named, "customer_records": True, **changes}
    digest = hashlib.sha256(API_KEY.encode()).hexdigest()
    return {"demo": ApiKey(ApiKeyPolicy.model_validate(policy), digest)}


def message_event(**changes: Any) -> dict[str, Any]:
    """Return an integrator's CloudEvent of a message, valid unless changed; `data_…` goes inside.

    A change to None leaves the field out.
    """
    data = {
        "channel": "portal",
        "provider": "demo-portal",
        "channel_account": "main",
        "conversation_id": "thread-7",
        "contact_points": ["email:Ana.Kovac@Example.si"],
        "message_id": "m-7",
        "text": "From the portal",
    }
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": "7",
        "source": "/demo-portal",
        "type": "throughline.message.received.v1",
        "time": "2026-11-03T09:00:00Z",
    }
    for name, value in changes.items():
        target, key = (data, name[5:]) if name.startswith("data_") else (event, name)
        target[key] = value
    data = {name: value for name, value in data.items() if value is not None}
    return {**{k: v for k, v in event.items() if v is not None}, "data": event.get("data", data)}


def our_message_id(reply_id: str, conversation_id: str, recipient: str) -> str:
    """Return the Message-ID that a mail of ours to a contact point has."""
    token = message_token(conversation_id, recipient, IDS)
    return f"{reply_id}.{token}@example.com" if token else f"{reply_id}@example.com"
