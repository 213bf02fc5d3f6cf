"""Putting the sla service together: it starts nothing, and refuses a wrong charter."""

from pathlib import Path

import pytest

from services.sla.app import create_app
from services.sla.settings import Settings
from shared.errors import PolicyError
from shared.settings import CommonSettings


def settings(policy: str) -> Settings:
    common = CommonSettings(
        kafka="127.0.0.1:1",
        mongodb="mongodb://127.0.0.1:1/",
        id_key="0123456789abcdef",
        policy=policy,
    )
    return Settings(common=common)


async def test_the_service_is_built_from_the_example_charter_without_connecting():
    service = create_app(settings("deploy/policy"))
    assert service.name == "sla"
    assert "throughline_sla_outcomes_total" in service.metrics.render().decode()
    service.database.close()


def test_a_wrong_charter_stops_it_from_being_built(tmp_path: Path):
    (tmp_path / "charter.yaml").write_text("promises: []\n")
    with pytest.raises(PolicyError, match="calendars: is missing; add it"):
        create_app(settings(str(tmp_path)))
