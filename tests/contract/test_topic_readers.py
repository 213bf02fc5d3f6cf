"""The topic catalogue tells the truth about who reads what."""

import importlib
from pathlib import Path

import pytest

from shared.events.topics import TOPICS

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("ingest", "routing", "sla", "profile")


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings and secrets that nothing is done with: building a service connects to nothing."""
    given = {
        "THROUGHLINE_KAFKA": "127.0.0.1:1",
        "THROUGHLINE_MONGODB": "mongodb://127.0.0.1:1/?replicaSet=rs0",
        "THROUGHLINE_ID_KEY": "a key for tests, long enough",
        "THROUGHLINE_POLICY": str(ROOT / "deploy/policy"),
        "WHATSAPP_APP_SECRET": "secret",
        "WHATSAPP_VERIFY_TOKEN": "secret",
        "TWILIO_AUTH_TOKEN": "secret",
        "DEMO_SHOP_KEY_SHA256": "0" * 64,
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("settings")
async def test_services_read_exactly_the_topics_the_catalogue_says() -> None:
    read = set()
    for name in SERVICES:
        service = importlib.import_module(f"services.{name}.app").create_app()
        read |= {(topic, name) for one in service._processors for topic in one.topics}
        service.database.close()
    promised = {
        (topic.name, reader) for topic in TOPICS for reader in topic.consumers if reader in SERVICES
    }
    assert read == promised
