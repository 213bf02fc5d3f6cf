"""Builds the routing service; nothing else builds objects, and importing this starts nothing."""

from pathlib import Path

from services.routing.api import create_routing_api
from services.routing.domain.policy import RoutingPolicy
from services.routing.handlers import Intake, Matcher
from services.routing.metrics import METRICS
from services.routing.settings import Settings
from services.routing.store import COLLECTIONS
from shared.clock import SystemClock
from shared.events.topics import CONTACT_TOPIC, ROUTING_COMMANDS_TOPIC
from shared.mongo import Database
from shared.policy import load_policy
from shared.service import Service
from shared.settings import load_settings
from shared.streams import Processor, Publisher


def create_app(settings: Settings | None = None) -> Service:
    """Return the service, ready to run: two consumers and the agents' API in one process."""
    settings = settings or load_settings(Settings)
    common = settings.common
    policy = load_policy(Path(common.policy) / "routing.yaml", RoutingPolicy)
    database = Database(common.mongodb, common.database("routing"))
    publisher = Publisher(common.kafka, common.prefix, "routing")
    intake = Intake(policy.content, policy.version)
    matcher = Matcher(policy.content, policy.version)
    token = settings.api_token.get_secret_value() if settings.api_token else None
    return Service(
        "routing",
        settings,
        database=database,
        publisher=publisher,
        processors=(
            Processor("routing-intake", (CONTACT_TOPIC.name,), intake.needs, intake.decide),
            Processor(
                "routing-matcher", (ROUTING_COMMANDS_TOPIC.name,), matcher.needs, matcher.decide
            ),
        ),
        collections=COLLECTIONS,
        metrics=METRICS,
        http=create_routing_api(database, publisher, policy.content, SystemClock(), token),
    )
