"""`throughline dead-letters replay`: a record goes back once, however many gave it up."""

from argparse import Namespace

import pytest

from deploy import dead_letters
from shared.events.dead_letters import DeadLetterData, DeadLettered
from shared.streams.replay import OriginalRecord
from tests.support.builders import NOON


def a_letter(group: str) -> DeadLettered:
    data = DeadLetterData.model_construct(
        origin="record",
        topic="contact-events",
        partition=3,
        offset=7,
        group=group,
        key=b"k",
        headers=(),
        body=b"\xff",
        error="Undecodable",
        code_version="0",
    )
    return DeadLettered(
        id=f"evt_{group}", source="/x", time=NOON, partitionkey="contact-events", data=data
    )


@pytest.mark.parametrize(
    "chosen", [{"all": True, "ids": []}, {"all": False, "ids": ["evt_sla", "evt_sla"]}]
)
async def test_a_record_that_three_groups_gave_up_goes_back_once(
    monkeypatch: pytest.MonkeyPatch, chosen: dict[str, object]
) -> None:
    sent: list[OriginalRecord] = []

    async def letters(_settings: object) -> list[DeadLettered]:
        return [a_letter(group) for group in ("routing-intake", "sla", "profile")]

    async def put_back(_bootstrap: str, records: list[OriginalRecord]) -> None:
        sent.extend(records)

    for name in ("KAFKA", "MONGODB"):
        monkeypatch.setenv(f"THROUGHLINE_{name}", "127.0.0.1:1")
    monkeypatch.setenv("THROUGHLINE_ID_KEY", "a key for tests, long enough")
    monkeypatch.setattr(dead_letters, "_letters", letters)
    monkeypatch.setattr(dead_letters, "put_back", put_back)

    assert await dead_letters.replay(Namespace(**chosen)) == 0
    assert sent == [OriginalRecord("contact-events", 3, b"k", b"\xff", ())]
