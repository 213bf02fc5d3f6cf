"""A reply of ours and the provider's echo of it are one event, whichever is heard first."""

import pytest

from services.ingest.adapters.registry import ADAPTERS
from services.ingest.adapters.request import RawRequest
from services.ingest.parse import read
from services.ingest.senders.registry import SENDERS
from shared.events.contact import MessageSent
from shared.ids import provider_event_id
from tests.support.builders_ingest import ACCOUNTS, FOLDERS, IDS, NOW, payload, payload_names

SENDING = sorted(SENDERS.keys() & FOLDERS.keys())


def as_sent(provider: str, name: str) -> RawRequest:
    return RawRequest(payload(provider, name), FOLDERS[provider].headers(name))


def echoes(provider: str) -> list[MessageSent]:
    return [
        event
        for name in payload_names(provider)
        for event in read(
            ADAPTERS[provider], as_sent(provider, name), ACCOUNTS[provider], NOW, IDS
        ).events
        if isinstance(event, MessageSent)
    ]


@pytest.mark.parametrize("provider", SENDING)
def test_an_echo_goes_by_the_id_of_its_message_as_a_reply_does(provider: str) -> None:
    account = ACCOUNTS[provider].name
    for echo in echoes(provider):
        if echo.data.message_id is not None:
            assert echo.id == provider_event_id(provider, account, echo.data.message_id)


def test_the_providers_that_echo_are_looked_at() -> None:
    echoing = {provider for provider in SENDING if echoes(provider)}
    assert echoing >= {"chatwoot", "freshchat", "intercom", "messenger", "whatsapp", "zendesk"}
