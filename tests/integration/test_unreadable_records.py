"""A record with a header whose name is not UTF-8: the client library fails on it, we go on."""

from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from shared.events import encode
from tests.support.builders import a_message_received
from tests.support.deployment import Deployment, eventually
from tests.support.kafka import read_events


class _NotUtf8(str):
    """A header's name whose bytes are no UTF-8, as a foreign producer may write it."""

    def encode(self, *_: object) -> bytes:
        return b"\xff\xfe"


async def test_a_record_with_such_a_header_is_handled_like_any_other(
    deployment: Deployment,
) -> None:
    middle = a_message_received("conv_1", event_id="middle")
    before = [a_message_received("conv_1", event_id=f"before_{n}") for n in range(3)]
    after = [a_message_received("conv_1", event_id=f"after_{n}") for n in range(3)]
    await _publish_with_a_foreign_header(deployment, [*before, middle, *after], middle)

    running = deployment.start("tests.support.ledger")
    database = deployment.database("ledger")

    async def all_applied() -> bool:
        pages = await database.find("pages", {})
        wanted = {event.id for event in (*before, middle, *after)}
        return {name for page in pages for name in page["applied"]} == wanted

    try:
        await eventually(all_applied, "it and its neighbours are applied")
    finally:
        database.close()
    assert await running.stop() == 0, running.log.read_text()
    assert await read_events(deployment.kafka, deployment.prefix, "dead-letters") == []


async def _publish_with_a_foreign_header(deployment, events, strange) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=deployment.kafka, acks="all")
    await producer.start()
    try:
        batch = producer.create_batch()
        batch._builder = _DefaultRecordBatchBuilderPy(
            2,
            0,
            is_transactional=0,
            producer_id=-1,
            producer_epoch=-1,
            base_sequence=0,
            batch_size=65_536,
        )
        for event in events:
            headers = [(_NotUtf8("x"), b"v")] if event is strange else []
            batch.append(timestamp=None, key=b"conv_1", value=encode(event), headers=headers)
        batch.close()
        topic = f"{deployment.prefix}contact-events"
        await (await producer.send_batch(batch, topic, partition=0))
    finally:
        await producer.stop()
