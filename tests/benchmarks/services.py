"""Profile, routing and sla, against bare loops that write the same documents."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from bson import decode_all, encode

from services.profile import store as profile_store
from services.profile.handlers import Handlers as ProfileHandlers
from services.profile.metrics import METRICS as PROFILE_METRICS
from services.routing import store as routing_store
from services.routing.domain.policy import RoutingPolicy
from services.routing.handlers import Intake
from services.routing.metrics import METRICS as ROUTING_METRICS
from services.sla import store as sla_store
from services.sla.domain.charter import CharterFile
from services.sla.domain.promises import charter_of
from services.sla.handlers import Handlers as SlaHandlers
from services.sla.metrics import METRICS as SLA_METRICS
from shared.ids import KeyedIds
from shared.mongo import Collection, Database
from shared.policy import load_policy
from shared.streams import Processor
from tests.benchmarks.engine import Place, time_bare, time_processor
from tests.benchmarks.loads import Load, messages, publish
from tests.benchmarks.report import Figure, figure
from tests.support.kafka import read_records

PROFILE_LOAD = Load(events=20_000, conversations=2_000)
NEW_LOAD = Load(events=10_000, conversations=10_000)  # every event opens a case, starts a clock
_POLICY = Path("deploy/policy")
_IDS = KeyedIds("a key for benchmarks only")


async def run_profile(place: Place, rounds: int) -> list[Figure]:
    """Profile against `getmany` + `json.loads` + `insert_many` of the same timeline documents."""
    await publish(place.kafka, place.prefix, messages(PROFILE_LOAD))
    processor = ProfileHandlers(_IDS).processor()
    ratios = []
    for number in range(rounds):
        bare = await _time_timeline_only(place, f"bare-p{number}")
        ours = await time_processor(
            place,
            processor,
            PROFILE_LOAD.events,
            f"ours-p{number}",
            profile_store.COLLECTIONS,
            PROFILE_METRICS,
        )
        ratios.append(_say(number, PROFILE_LOAD.events, bare, ours))
    against = "aiokafka getmany + json.loads + insert_many of the timeline documents, one commit"
    return [
        figure(
            "profile",
            ratios,
            unit="×",
            target=0.60,
            direction="min",
            against=f"{against} per batch",
        )
    ]


async def _time_timeline_only(place: Place, group: str) -> float:
    database = Database(place.mongodb, f"{place.prefix}{group}")
    await database.ensure([Collection("timeline", profile_store.COLLECTIONS[-1].indexes)])

    async def step(records: Sequence[Any]) -> None:
        entries = [_entry(json.loads(record.value)) for record in records]
        await database.raw["timeline"].insert_many(entries, ordered=False)

    seconds = await time_bare(place, "contact-events", PROFILE_LOAD.events, group, step)
    await database.client.drop_database(database.name)
    database.close()
    return seconds


def _entry(event: dict[str, Any]) -> dict[str, Any]:
    """Return the document profile writes for this event, by hand."""
    data = event["data"]
    return {
        "_id": event["id"],
        "customer_id": _IDS.customer_id(data["contact_points"][0]),
        "occurred_at": datetime.fromisoformat(event["time"]),
        "received_at": datetime.fromisoformat(data["received_at"]),
        "recorded_at": datetime.now(UTC),
        "kind": event["type"].removeprefix("throughline.").removesuffix(".v1"),
        "channel": data["channel"],
        "conversation_id": data["conversation_id"],
        "case_id": None,
        "case_reference": None,
        "opaque": False,
        "data": data,
    }


async def run_routing(place: Place, rounds: int) -> list[Figure]:
    """Routing's intake, every event a new case, against a loop that writes the same documents."""
    policy = load_policy(_POLICY / "routing.yaml", RoutingPolicy)
    intake = Intake(policy.content, policy.version)
    processor = Processor("intake", ("contact-events",), intake.needs, intake.decide)
    return await _against_transaction(
        place,
        rounds,
        "routing",
        processor,
        routing_store.COLLECTIONS,
        ROUTING_METRICS,
        ("routing-events", "routing-commands"),
    )


async def run_sla(place: Place, rounds: int) -> list[Figure]:
    """Sla, every event a new clock with its timer, against a loop that writes the same."""
    charter = charter_of(load_policy(_POLICY / "charter.yaml", CharterFile))
    return await _against_transaction(
        place,
        rounds,
        "sla",
        SlaHandlers(charter).processor(),
        sla_store.COLLECTIONS,
        SLA_METRICS,
        ("sla-events",),
    )


async def _against_transaction(
    place: Place,
    rounds: int,
    name: str,
    processor: Processor,
    collections: Sequence[Collection],
    metrics: Sequence[Any],
    published: Sequence[str],
) -> list[Figure]:
    await publish(place.kafka, place.prefix, messages(NEW_LOAD))
    written: dict[str, list[dict[str, Any]]] = {}

    async def keep(database: Database) -> None:
        for collection in [*(c.name for c in collections), "timers"]:
            written[collection] = await database.find(collection, {})

    async def measure(number: int, keep: Callable[[Database], Any] | None = None) -> float:
        return await time_processor(
            place,
            processor,
            NEW_LOAD.events,
            f"ours-{name}{number}",
            collections,
            metrics,
            keep=keep,
        )

    await measure(-1, keep)
    outbox = [
        [topic, record.key, record.value]
        for topic in published
        for record in await read_records(place.kafka, f"{place.prefix}{topic}")
    ]
    ratios = []
    for number in range(rounds):
        bare = await _time_same_documents(
            place, f"bare-{name}{number}", collections, written, outbox
        )
        ours = await measure(number)
        ratios.append(_say(number, NEW_LOAD.events, bare, ours))
    return [
        figure(
            name,
            ratios,
            unit="×",
            target=0.75,
            direction="min",
            against="aiokafka getmany + json.loads + the same documents, timers and outbox entries "
            "in one transaction + one commit per batch",
        )
    ]


async def _time_same_documents(
    place: Place,
    group: str,
    collections: Sequence[Collection],
    written: dict[str, list[dict[str, Any]]],
    outbox: list[Any],
) -> float:
    database = Database(place.mongodb, f"{place.prefix}{group}")
    await database.ensure((*collections, Collection("timers"), Collection("outbox")))
    sources = {name: iter(_fresh(documents)) for name, documents in written.items() if documents}
    shares = {name: len(documents) / NEW_LOAD.events for name, documents in written.items()}
    entries, entries_share = iter(outbox), len(outbox) / NEW_LOAD.events
    batch = 0

    async def step(records: Sequence[Any]) -> None:
        nonlocal batch
        batch += 1
        for record in records:
            json.loads(record.value)
        async with (
            await database.client.start_session() as session,
            session.start_transaction(),
        ):
            for name, source in sources.items():
                documents = list(islice(source, round(len(records) * shares[name])))
                if documents:
                    await database.raw[name].insert_many(documents, ordered=False, session=session)
            parcel = {
                "_id": f"{batch}",
                "records": list(islice(entries, round(len(records) * entries_share))),
            }
            await database.raw["outbox"].insert_one(parcel, session=session)

    seconds = await time_bare(place, "contact-events", NEW_LOAD.events, group, step)
    await database.client.drop_database(database.name)
    database.close()
    return seconds


def _fresh(documents: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [dict(decode_all(encode(document))[0]) for document in documents]


def _say(number: int, events: int, bare: float, ours: float) -> float:
    print(
        f"  round {number + 1}: bare {events / bare:,.0f}/s, "
        f"ours {events / ours:,.0f}/s, ratio {bare / ours:.2f}",
        flush=True,
    )
    return bare / ours
