"""The conformance kit finds what it is there to find: every sabotage fails its check."""

import dataclasses
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from services.ingest.adapters.contract import Parsed
from services.ingest.adapters.request import RawRequest, SignatureRefused
from services.ingest.adapters.schemes.base import Hmac, Token
from services.ingest.adapters.whatsapp import WhatsApp
from services.ingest.conformance.report import Report, Verdict, as_data, as_list, as_table
from services.ingest.conformance.strangers import other_secret
from services.ingest.conformance.subject import Subject
from services.ingest.conformance.suite import checks, verdict
from tests.support.builders_ingest import FOLDERS

CHECKS = {check.name: check for check in checks(100)}


def look(check: str, adapter: WhatsApp) -> Verdict:
    """Return what one check finds about WhatsApp's adapter, altered."""
    return verdict(CHECKS[check], Subject(adapter, FOLDERS["whatsapp"]))


class ByParse(WhatsApp):
    """WhatsApp's adapter, with its result (or the request) altered."""

    provider = "whatsapp"

    def __init__(self, alter: Callable[..., Parsed]) -> None:
        self._alter = alter

    def parse(self, *arguments: Any, **named: Any) -> Parsed:
        return self._alter(super().parse, *arguments, **named)


def scheme(changed: Any) -> WhatsApp:
    """Return the adapter with another scheme."""
    return type("Changed", (WhatsApp,), {"scheme": changed, "provider": "whatsapp"})()


def verifying(verify: Callable[..., None]) -> WhatsApp:
    """Return the adapter with another way to verify."""
    return type("Changed", (WhatsApp,), {"verify": verify, "provider": "whatsapp"})()


def test_the_adapter_itself_passes() -> None:
    assert [name for name in CHECKS if look(name, WhatsApp()).status == "fail"] == []


class IgnoresCase(Hmac):
    def verify(self, request: RawRequest, *rest: Any) -> None:
        headers = tuple((name, value.lower()) for name, value in request.headers)
        super().verify(dataclasses.replace(request, headers=headers), *rest)


class FirstSecretOnly(Hmac):
    def verify(self, request: RawRequest, account: Any, now: Any) -> None:
        one = {name: values[:1] for name, values in account.secrets.items()}
        super().verify(request, dataclasses.replace(account, secrets=one), now)


class LastHeaderCounts(Hmac):
    def verify(self, request: RawRequest, *rest: Any) -> None:
        kept = dict(request.headers).items()
        super().verify(dataclasses.replace(request, headers=tuple(kept)), *rest)


class Unsigned(Hmac):
    def verify(self, request: RawRequest, *rest: Any) -> None:
        if request.all(self.header):
            super().verify(request, *rest)


class Crashes(Hmac):
    def verify(self, request: RawRequest, *rest: Any) -> None:
        request.headers[0][1].decode("ascii")
        dict(request.headers)[self.header].decode("ascii")
        super().verify(request, *rest)


class Reencodes(Hmac):
    def verify(self, request: RawRequest, *rest: Any) -> None:
        try:
            body = json.dumps(json.loads(request.body), sort_keys=True).encode()
        except ValueError:
            raise SignatureRefused("malformed") from None
        super().verify(dataclasses.replace(request, body=body), *rest)

    def sign(self, request: RawRequest, *rest: Any) -> RawRequest:
        body = json.dumps(json.loads(request.body), sort_keys=True).encode()
        signed = super().sign(dataclasses.replace(request, body=body), *rest)
        return dataclasses.replace(request, headers=signed.headers)


class Patient(Hmac):
    def verify(self, request: RawRequest, account: Any, now: Any) -> None:
        times = [now + timedelta(seconds=250 * step) for step in range(-500, 500)]
        for time in times:
            try:
                return super().verify(request, account, time)
            except SignatureRefused as refused:
                if refused.reason != "stale":
                    raise
        raise SignatureRefused("stale")


GIVEN = {"header": "x-hub-signature-256", "secret": "app_secret", "prefix": "sha256="}
TIMED = {
    **GIVEN,
    "time_header": "x-time",
    "signed": lambda request, _account, time: (time.encode() + request.body,),
}


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        (IgnoresCase(**GIVEN), "upper case: accepted"),
        (FirstSecretOnly(**GIVEN), "old secret while it is rotated: refused"),
        (LastHeaderCounts(**GIVEN), "doubled: accepted"),
        (Unsigned(**GIVEN), "missing: accepted"),
        (Crashes(**GIVEN), "verify raised KeyError"),
        (Reencodes(**GIVEN), "body: JSON encoded again: accepted"),
        (Hmac(**{**GIVEN, "signed": lambda *_: (b"",)}), "body: one byte more: accepted"),
        (Patient(**TIMED), "stale: accepted"),
        (Hmac(**{**TIMED, "signed": lambda r, *_: (r.body,)}), "time altered: accepted"),
    ],
)
def test_a_careless_signature_is_found(changed: Any, found: str) -> None:
    seen = look("signature", scheme(changed))
    assert seen.status == "fail"
    assert found in seen.remark


def test_a_careful_scheme_with_a_time_passes() -> None:
    seen = look("signature", scheme(Hmac(**TIMED)))
    assert (seen.status, seen.remark[:2].isdigit()) == ("pass", True)


def test_accepting_everything_is_found() -> None:
    assert look("signature", verifying(lambda *_: None)).status == "fail"
    assert look("fuzz", verifying(lambda *_: None)).remark.endswith("accepted without a proof")


def test_any_error_but_a_refusal_is_found() -> None:
    def verify(_self: Any, request: RawRequest, *_: Any) -> None:
        raise SignatureRefused("wrong") if b"\x00" not in request.body else ValueError

    assert "verify raised ValueError" in look("fuzz", verifying(verify)).remark


def _new_ids(parse: Any, request: Any, account: Any, received_at: Any, ids: Any) -> Parsed:
    parsed = parse(request, account, received_at, ids)
    events = tuple(e.model_copy(update={"id": f"{e.id}-{received_at}"}) for e in parsed.events)
    return dataclasses.replace(parsed, events=events)


def _by_place(parse: Any, *given: Any) -> Parsed:
    parsed = parse(*given)
    events = tuple(e.model_copy(update={"id": f"{e.id}{n}"}) for n, e in enumerate(parsed.events))
    return dataclasses.replace(parsed, events=events)


def _first_only(parse: Any, *given: Any) -> Parsed:
    parsed = parse(*given)
    return dataclasses.replace(parsed, events=parsed.events[:1]) if parsed.broken else parsed


def _nothing_broken(parse: Any, *given: Any) -> Parsed:
    parsed = parse(*given)
    return dataclasses.replace(parsed, broken=())


def _no_raw(parse: Any, *given: Any) -> Parsed:
    parsed = parse(*given)
    data = [event.data.model_copy(update={"raw": None}) for event in parsed.events]
    pairs = zip(parsed.events, data, strict=True)
    events = tuple(event.model_copy(update={"data": each}) for event, each in pairs)
    return dataclasses.replace(parsed, events=events)


def _ascii_only(parse: Any, *given: Any) -> Parsed:
    parsed = parse(*given)
    events = []
    for event in parsed.events:
        text = (getattr(event.data, "text", None) or "").encode("ascii", "ignore").decode()
        events.append(event.model_copy(update={"data": event.data.model_copy(
            update={"text": text})}))  # fmt: skip
    return dataclasses.replace(parsed, events=tuple(events))


def _crashing(parse: Any, request: RawRequest, *given: Any) -> Parsed:
    json.loads(request.body)
    return parse(request, *given)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("check", "alter"),
    [
        ("idempotency", _new_ids),
        ("ordering", _by_place),
        ("broken part", _first_only),
        ("broken part", _nothing_broken),
        ("unknown", _no_raw),
        ("emoji", _ascii_only),
        ("right to left", _ascii_only),
        ("sizes", _crashing),
        ("fuzz", _crashing),
    ],
)
def test_a_careless_translation_is_found(check: str, alter: Callable[..., Parsed]) -> None:
    assert look(check, ByParse(alter)).status == "fail"


def test_somebodys_name_in_a_log_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    def chatty(parse: Any, request: RawRequest, *given: Any) -> Parsed:
        parsed: Parsed = parse(request, *given)
        for event in parsed.events:
            print(f"parsed a message of {event.data.display_name}")
        return parsed

    seen = look("privacy", ByParse(chatty))
    assert (seen.status, seen.remark) == ("fail", "something of a customer is in a log")


def test_a_token_in_a_dead_letter_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    token = scheme(Token(header="x-token", secret="app_secret"))
    assert look("privacy", token).status == "pass"
    monkeypatch.setattr("services.ingest.dead_letters._bare_secret", lambda _: frozenset())
    assert look("privacy", token).remark == "a secret is in a dead letter's head"


def test_another_secret_is_another_but_of_the_same_form() -> None:
    for value in (b"a", b"auth-token", b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b"aaaa"):
        other = other_secret(value)
        assert other != value
        assert len(other) == len(value)
    private = FOLDERS["freshchat"].account().secrets["private_key"][0]
    assert other_secret(private) != private
    assert other_secret(private).startswith(b"-----BEGIN PRIVATE KEY-----")


def test_a_report_is_read_by_people_and_by_programs() -> None:
    good = Report("good", (Verdict("signature", "pass", "20 cases"),))
    bad = Report("bad", (Verdict("signature", "fail", "missing: accepted"),))
    table = as_table([good, bad], [CHECKS["signature"]])
    assert "good     ✓" in table
    assert "✗ bad, signature: missing: accepted" in table
    assert table.endswith("1 of 2 adapters pass")
    assert as_list(good) == "✓ signature  20 cases\n1 of 1 adapters pass"
    assert as_data([bad])[0]["checks"]["signature"]["status"] == "fail"
