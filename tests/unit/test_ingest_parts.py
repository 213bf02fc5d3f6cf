"""Which parts of ingest a process plays: `THROUGHLINE_INGEST_PARTS`."""

import pytest

from services.ingest.app import create_app
from services.ingest.settings import PARTS, Settings
from shared.errors import SettingsError
from shared.service import Service
from shared.settings import CommonSettings, load_settings
from tests.unit.test_ingest_channels import ENVIRONMENT

INBOX, INDEX = "ingest-inbox", "ingest-conversations"
NAME = "THROUGHLINE_INGEST_PARTS"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(NAME, raising=False)


def built(parts: str | None, monkeypatch: pytest.MonkeyPatch) -> Service:
    """Return ingest as an operator sets it; None: as nobody set anything."""
    if parts is not None:
        monkeypatch.setenv(NAME, parts)
    common = CommonSettings(
        kafka="127.0.0.1:1", mongodb="mongodb://127.0.0.1:1", id_key="0123456789abcdef"
    )
    return create_app(load_settings(Settings, common=common))


def processors(service: Service) -> set[str]:
    return {one.name for one in service._processors}


def tasks(service: Service) -> set[str]:
    return {one.__qualname__.rpartition("<locals>.")[2] for one in service._tasks}


@pytest.mark.parametrize(
    ("parts", "reads", "runs"),
    [
        ("doors", set(), {"mails", "Spool.run"}),
        ("inbox", {INBOX}, set()),
        ("replies", {INDEX}, {"Outbox.run"}),
        ("replies, inbox", {INBOX, INDEX}, {"Outbox.run"}),
        (None, {INBOX, INDEX}, {"mails", "Spool.run", "Outbox.run"}),
    ],
)
def test_a_process_plays_the_parts_it_is_given_and_no_other(
    parts: str | None, reads: set[str], runs: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    service = built(parts, monkeypatch)
    assert processors(service) == reads
    assert tasks(service) == runs


@pytest.mark.parametrize("parts", ["doors,windows", "", "doors,", "Doors"])
def test_an_unknown_part_is_refused_with_the_known_ones(
    parts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError) as refused:
        built(parts, monkeypatch)
    assert refused.value.problem.startswith(f"{NAME}: ")
    assert all(part in refused.value.problem for part in PARTS)
    assert "docs/settings.md" in refused.value.fix
