"""A channel account can send when it has all that sending needs; half of it is a mistake."""

import copy
from dataclasses import replace
from typing import Any

import pytest

from services.ingest.accounts import Door, open_doors
from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain.addresses import AddressRefused
from services.ingest.domain.channels import ChannelsPolicy
from services.ingest.replies.sending import placed
from services.ingest.senders.contract import Call
from shared.errors import PolicyError
from tests.support.builders_outbox import SECRETS, channels, doors


def opened(**changes: Any) -> Door:
    """Return the WhatsApp door with parts of its policy changed; None removes one."""
    given = copy.deepcopy(channels())
    account = given["channel_accounts"][0]
    for part in ("secrets", "options"):
        named = {**account[part], **changes.get(part, {})}
        account[part] = {name: value for name, value in named.items() if value is not None}
    return open_doors(ChannelsPolicy.model_validate(given), SECRETS)["whatsapp", "main"]


def test_with_everything_it_sends() -> None:
    assert opened().sender is not None


def test_with_nothing_of_the_senders_it_only_receives() -> None:
    receives = opened(secrets={"access_token": None}, options={"api_url": None})
    assert receives.sender is None


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"options": {"phone_number_id": None}}, "options.phone_number_id"),
        ({"secrets": {"access_token": None}}, "secrets.access_token"),
    ],
)
def test_half_of_what_sending_needs_is_refused_by_name(
    changes: dict[str, Any], missing: str
) -> None:
    with pytest.raises(PolicyError, match=missing):
        opened(**changes)


def test_a_call_goes_to_the_provider_unless_the_account_names_another_base() -> None:
    call = Call("https://graph.facebook.com/v23.0/1/messages?a=b", b"{}")
    door = doors("http://127.0.0.1:9000/meta")["whatsapp", "main"]
    there, hosts = placed(call, door)
    assert there.url == "http://127.0.0.1:9000/meta/v23.0/1/messages?a=b"
    assert hosts == {"127.0.0.1"}
    options = {k: v for k, v in door.account.options.items() if k != "api_url"}
    usual = ChannelAccount("whatsapp", "main", door.account.secrets, options)
    assert placed(call, replace(door, account=usual)) == (call, {"graph.facebook.com"})


def test_another_base_takes_only_what_was_for_the_provider() -> None:
    door = doors("http://127.0.0.1:9000")["whatsapp", "main"]
    with pytest.raises(AddressRefused):
        placed(Call("https://elsewhere.example.com/", b""), door)


def test_no_credential_shows_in_a_repr() -> None:
    door = opened()
    assert "access-token" not in repr(door)
    assert "Bearer" not in repr(Call("https://x.example.com/", b"", {"a": "Bearer x"}))
