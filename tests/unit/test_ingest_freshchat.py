"""Freshchat: an RSA signature, two forms of message, and whom an agent wrote to."""

import base64
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from services.ingest.adapters.contract import Unparseable
from services.ingest.adapters.freshchat import Freshchat
from services.ingest.adapters.request import RawRequest, SignatureRefused
from tests.support.builders_ingest import ACCOUNTS, IDS, NOW, parse, payload, request, signed

ACCOUNT = ACCOUNTS["freshchat"]
BODY = payload("freshchat", "message")
ANA = "freshchat:a1553a5a-9eed-48e8-9fc7-000000000001/dbec0910-b4d6-4d81-8015-000000000002"


def only(name: str) -> Any:
    """Return the one event of a payload."""
    (event,) = parse("freshchat", name).events
    return event


def verify_with(*keys: bytes) -> None:
    account = replace(ACCOUNT, secrets={"public_key": keys})
    Freshchat().verify(signed("freshchat", BODY), account, NOW)


def test_the_key_is_accepted_as_freshchat_shows_it_and_as_one_line() -> None:
    pem = ACCOUNT.secrets["public_key"][0]
    verify_with(pem)
    verify_with(pem.replace(b"\n", b" "))
    verify_with(b"".join(pem.splitlines()[1:-1]))
    verify_with(ACCOUNT.secrets["public_key"][1], pem)


@pytest.mark.parametrize(
    "key",
    [b"", b"not a key", b"AAAA", base64.b64encode(b"\x30\x82" + b"0" * 200)],
)
def test_a_key_that_is_none_makes_nothing_authentic(key: bytes) -> None:
    with pytest.raises(SignatureRefused) as refused:
        verify_with(key)
    assert refused.value.reason == "wrong"


def test_a_signature_over_another_hash_is_refused() -> None:
    key: Any = load_pem_private_key(ACCOUNT.secrets["private_key"][0], None)
    for hashed, good in ((SHA256(), True), (SHA1(), False)):
        proof = base64.b64encode(key.sign(BODY, PKCS1v15(), hashed))
        given = RawRequest(BODY, (("x-freshchat-signature", proof),))
        if good:
            Freshchat().verify(given, ACCOUNT, NOW)
        else:
            with pytest.raises(SignatureRefused, match="refused"):
                Freshchat().verify(given, ACCOUNT, NOW)


def test_a_users_message_is_the_customers() -> None:
    event = only("message")
    assert event.type == "throughline.message.received.v1"
    assert event.data.contact_points == (ANA,)
    assert event.data.text == "Where is my parcel?"
    assert event.time == datetime(2026, 11, 3, 9, 0, 0, 803000, tzinfo=UTC)


def test_the_older_form_is_read_too() -> None:
    event = only("message-older-form")
    assert (event.data.text, event.data.contact_points) == ("Told in the older form", (ANA,))
    assert event.data.conversation_id == only("message").data.conversation_id


@pytest.mark.parametrize(
    ("name", "sender"), [("message-by-agent", "agent"), ("message-by-system", "system")]
)
def test_what_the_desk_sends_is_an_echo_for_the_user(name: str, sender: str) -> None:
    event = only(name)
    assert event.type == "throughline.message.sent.v1"
    assert (event.data.sender, event.data.echo) == (sender, True)
    assert event.data.contact_points == (ANA,)


def test_without_a_user_the_conversation_is_whom_an_agent_wrote_to() -> None:
    event = only("message-by-agent-no-user")
    (point,) = event.data.contact_points
    assert point.endswith("/conversation-ac2175df14d36caf64e9a578fad00005")
    assert event.data.conversation_id == only("message").data.conversation_id


def test_parts_are_text_files_or_unknown() -> None:
    image, document, other = only("image"), only("file"), only("unknown-part")
    assert (image.data.kind, image.data.text) == ("text", "the label")
    assert image.data.attachments[0].media_type == "image/*"
    assert (document.data.kind, document.data.attachments[0].name) == ("document", "invoice.pdf")
    assert (other.data.kind, other.data.raw["message_parts"]) == (
        "unknown",
        [{"hologram": {"id": "7"}}],
    )


def test_the_way_in_is_the_channel() -> None:
    assert only("message").data.channel == "chat"
    assert only("whatsapp").data.channel == "messaging"


@pytest.mark.parametrize(
    ("name", "ignored"),
    [
        ("private-note", "a private note"),
        ("resolution", "conversation_resolution"),
        ("reopen", "conversation_reopen"),
    ],
)
def test_what_concerns_no_customer_is_ignored_by_name(name: str, ignored: str) -> None:
    parsed = parse("freshchat", name)
    assert (parsed.events, parsed.ignored) == ((), (ignored,))


def test_an_unknown_action_with_a_message_is_kept_whole() -> None:
    assert only("unknown-action").data.kind == "message_teleport"


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}"])
def test_a_body_without_an_action_makes_no_sense(body: bytes) -> None:
    with pytest.raises(Unparseable):
        Freshchat().parse(request("freshchat", body), ACCOUNT, NOW, IDS)
