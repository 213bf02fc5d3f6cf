"""Web forms: fields, one address at most, and nobody is linked by what a visitor types."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from services.ingest.adapters.contract import Parsed, Unparseable
from services.ingest.adapters.form import Form
from services.ingest.adapters.request import ChannelAccount, RawRequest, SignatureRefused
from tests.support.builders_ingest import ACCOUNTS, FORM, IDS, NOW, parse, payload, signed

ACCOUNT = ACCOUNTS["form"]
JSON = b"application/json"


def parse_body(
    body: Any, media_type: bytes = JSON, account: ChannelAccount = ACCOUNT, **headers: bytes
) -> Parsed:
    written = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = [(name.replace("_", "-"), value) for name, value in headers.items()]
    request = RawRequest(written, (("content-type", media_type), *given))
    return Form().parse(request, account, NOW, IDS)


def only(parsed: Parsed) -> Any:
    assert parsed.broken == ()
    (event,) = parsed.events
    return event


def test_a_submission_is_proved_by_the_sites_own_backend() -> None:
    good = signed("form", payload("form", "contact"))
    Form().verify(good, ACCOUNT, NOW)
    with pytest.raises(SignatureRefused):
        Form().verify(RawRequest(good.body + b" ", good.headers), ACCOUNT, NOW)


def test_a_submission_tells_its_fields_in_order_and_who_filled_it_in() -> None:
    event = only(parse("form", "contact"))
    assert event.type == "throughline.form.submitted.v1"
    assert (event.data.channel, event.data.form, event.data.locale) == ("form", "contact", "sl-SI")
    assert event.data.display_name == "Ana Kovač"
    assert event.time == datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
    assert [(field.name, field.value) for field in event.data.fields][3:] == [
        ("topic", "delivery"),
        ("message", "Where is my parcel?"),
        ("channels", "sms, e-mail"),
        ("newsletter", "no"),
    ]


def test_typing_an_address_and_a_number_links_nobody_with_anybody() -> None:
    assert only(parse("form", "contact")).data.contact_points == ("email:ana.kovac@example.si",)


def test_a_number_counts_with_its_country_code_only() -> None:
    assert only(parse("form", "phone-only")).data.contact_points == ("tel:+38640123457",)
    national = only(parse("form", "national-number")).data
    assert national.contact_points == ("form:website/web-3",)
    assert [field.value for field in national.fields if field.name == "phone"] == ["040 123 457"]


def test_a_form_without_any_address_is_a_normal_form() -> None:
    event = only(parse("form", "nobody"))
    assert event.data.contact_points == ("form:website/web-4",)
    assert [field.value for field in event.data.fields] == ["9", "It just works"]


def test_an_address_that_is_none_is_only_a_field() -> None:
    body = {"form": "contact", "id": "1", "fields": {"email": "not an address"}}
    assert only(parse_body(body)).data.contact_points == ("form:website/1",)


def test_the_fields_with_addresses_are_named_in_options_and_have_usual_names() -> None:
    account = ChannelAccount("form", "website", ACCOUNT.secrets, {"form": "callback"})
    body = {"id": "1", "fields": {"E-Mail": "x", "Email": "ana@example.si"}}
    event = only(parse_body(body, account=account))
    assert event.data.contact_points == ("email:ana@example.si",)
    assert event.data.form == "callback"


def test_a_form_as_browsers_send_it_is_read_too() -> None:
    event = only(parse_body(payload("form", "urlencoded"), FORM.encode()))
    assert (event.data.form, event.data.provider_event_id) == ("contact", "web-8")
    assert event.data.contact_points == ("email:ana.kovac@example.si",)
    assert [field.name for field in event.data.fields] == [
        "kontakt",
        "name",
        "topic",
        "topic",
        "message",
    ]
    assert event.data.fields[-1].value == "Vrnila bi čevlje.\r\nHvala"


def test_without_an_id_of_its_own_the_webhook_id_names_the_submission() -> None:
    body = {"form": "contact", "fields": {"a": "b"}}
    first, again = (only(parse_body(body, webhook_id=b"msg_1")) for _ in range(2))
    other = only(parse_body(body, webhook_id=b"msg_2"))
    assert first.id == again.id != other.id
    assert first.partitionkey != other.partitionkey


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"fields": {}}, "form: missing"),
        ({"form": "a", "fields": [{"value": "1"}]}, "fields: a name is missing or too long"),
        ({"form": "a", "fields": {"x" * 256: "1"}}, "fields: a name is missing or too long"),
        ({"form": "a", "fields": {f"f{n}": "1" for n in range(201)}}, "fields: too many"),
        ({"form": "a", "fields": {f"f{n}": "x" * 60_000 for n in range(5)}}, "fields: too large"),
    ],
)
def test_a_submission_beyond_a_limit_is_put_aside_whole(body: Any, error: str) -> None:
    parsed = parse_body(body)
    assert (parsed.events, parsed.broken[0].error) == ((), error)
    assert json.loads(parsed.broken[0].body) == body


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff"])
def test_a_body_that_makes_no_sense_is_unparseable(body: bytes) -> None:
    with pytest.raises(Unparseable):
        parse_body(body)


def test_a_form_of_too_many_fields_is_unparseable() -> None:
    body = urlencode([(f"f{n}", "1") for n in range(1_001)]).encode()
    with pytest.raises(Unparseable):
        parse_body(body, FORM.encode())


def test_lone_surrogates_and_bytes_that_are_no_text_are_replaced() -> None:
    json_body = b'{"form": "a", "id": "1", "fields": {"\\ud800": "\\udfff"}}'
    assert only(parse_body(json_body)).data.fields[0].value == "\ufffd"
    assert only(parse_body(b"_form=a&x=%ff%fe", FORM.encode())).data.fields[0].value == "ÿþ"
