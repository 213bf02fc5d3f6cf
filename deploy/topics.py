"""`throughline topics`: the topics of the catalogue, on the Kafka of the settings."""

import argparse

from shared.settings import KafkaSettings, load_settings
from shared.streams.admin import create_topics, list_topics


async def list_all(_options: argparse.Namespace) -> int:
    """Print every topic of the catalogue; status 1 if one is missing or has other partitions."""
    settings = load_settings(KafkaSettings)
    complete = True
    for found in await list_topics(settings.kafka, settings.prefix):
        topic = found.topic
        state = "ok" if found.partitions == topic.partitions else "MISSING"
        if found.partitions and state != "ok":
            state = f"has {found.partitions} partitions, should have {topic.partitions}"
        complete = complete and state == "ok"
        days = topic.retention.days
        name = f"{settings.prefix}{topic.name}"
        print(f"{name:24} {topic.partitions:3} partitions  {days:2} days  {state}")
    return 0 if complete else 1


async def create(options: argparse.Namespace) -> int:
    """Create what is missing and print it."""
    settings = load_settings(KafkaSettings)
    created = await create_topics(settings.kafka, settings.prefix, replication=options.replication)
    for name in created:
        print(f"created {name}")
    if not created:
        print("nothing to create: every topic is there")
    return 0
