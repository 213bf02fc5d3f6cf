"""The sla service, put together: the only place where its objects are built."""

from pathlib import Path

from services.sla.api import build_api
from services.sla.domain.charter import CharterFile
from services.sla.domain.promises import charter_of
from services.sla.handlers import Handlers
from services.sla.metrics import METRICS
from services.sla.settings import Settings
from services.sla.store import COLLECTIONS
from shared.mongo import Database
from shared.policy import load_policy
from shared.service import Service
from shared.settings import load_settings
from shared.streams import Publisher


def create_app(settings: Settings | None = None) -> Service:
    """Build the sla service; raises `SettingsError` or `PolicyError` if it cannot be."""
    settings = settings or load_settings(Settings)
    common = settings.common
    charter = charter_of(load_policy(Path(common.policy) / "charter.yaml", CharterFile))
    database = Database(common.mongodb, common.database("sla"))
    token = settings.api_token.get_secret_value() if settings.api_token else None
    return Service(
        "sla",
        settings,
        database=database,
        publisher=Publisher(common.kafka, common.prefix, "sla"),
        processors=(Handlers(charter).processor(),),
        collections=COLLECTIONS,
        metrics=METRICS,
        http=build_api(database, charter, token),
    )
