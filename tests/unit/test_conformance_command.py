"""`throughline conformance`, `verify` and `sign`, as somebody types them."""

import io
import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn

from deploy.cli import main
from shared.clock import SystemClock
from tests.support.builders_ingest import API_KEY, Fakes, payload
from tests.support.ingest_http import hook_app

BODY = payload("whatsapp", "text")
SECRETS = ("--secret", "app_secret=app-secret", "--secret", "verify_token=verify-me")
ACCOUNT = (*SECRETS, "--option", "portfolio=p1")


@dataclass
class Typed:
    """What a command said and how it ended."""

    status: int
    out: str
    err: str


@pytest.fixture
def type_in(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(*arguments: str, stdin: bytes = b"") -> Typed:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = main(arguments)
        said = capsys.readouterr()
        return Typed(status, said.out, said.err)

    return run


def test_one_adapter_is_told_check_by_check(type_in: Any) -> None:
    done = type_in("conformance", "whatsapp", "--fuzz", "20")
    assert done.status == 0
    assert "✓ signature" in done.out
    assert "1 of 1 adapters pass" in done.out


def test_the_same_as_data(type_in: Any) -> None:
    done = type_in("conformance", "zendesk", "--json", "--fuzz", "20")
    (report,) = json.loads(done.out)
    assert (report["adapter"], report["passed"]) == ("zendesk", True)
    assert report["checks"]["choice"] == {"status": "absent", "remark": "no payload shows it"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("conformance",),
        ("conformance", "nobody"),
        ("conformance", "no.such.module:Class"),
        ("conformance", "json:JSONDecoder"),
        ("conformance", "whatsapp", "--all"),
        ("conformance", "whatsapp", "--payloads", "docs"),
        ("conformance", "--url", "http://hooks.example.com/hooks/a/b", "--provider", "whatsapp"),
        ("conformance", "--url", "ftp://127.0.0.1/", "--provider", "whatsapp"),
        ("conformance", "--url", "http://127.0.0.1:1@example.com/", "--provider", "whatsapp"),
        ("conformance", "--url", "https://hooks.example.com/hooks/whatsapp/main"),
        ("conformance", "--url", "http://127.0.0.1:1/", "--provider", "whatsapp"),
        ("verify", "whatsapp"),
        ("verify", "whatsapp", "--secret", "app_secret"),
        ("verify", "whatsapp", *SECRETS),
        ("verify", "whatsapp", *ACCOUNT, "--header", "no colon"),
        ("verify", "whatsapp", *ACCOUNT, "--at", "yesterday"),
        ("sign", "whatsapp", *ACCOUNT, "--curl"),
    ],
)
def test_wrong_input_is_status_2_and_one_sentence(type_in: Any, arguments: tuple[str, ...]) -> None:
    done = type_in(*arguments, stdin=BODY)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("throughline: ")


def test_what_is_signed_is_valid(type_in: Any) -> None:
    signed = type_in("sign", "whatsapp", *ACCOUNT, stdin=BODY)
    headers = [word for line in signed.out.splitlines() for word in ("--header", line)]
    assert type_in("verify", "whatsapp", *ACCOUNT, *headers, stdin=BODY).out == "valid\n"
    wrong = type_in("verify", "whatsapp", *ACCOUNT, *headers, stdin=BODY + b" ")
    assert (wrong.status, wrong.out.startswith("invalid: wrong: ")) == (1, True)


def test_a_secret_can_come_from_the_environment(
    type_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", "app-secret")
    given = ("--secret", "app_secret=env:A_SECRET", "--option", "portfolio=p1")
    assert type_in("sign", "whatsapp", *given, stdin=BODY).out == (
        type_in("sign", "whatsapp", *ACCOUNT, stdin=BODY).out
    )


def test_the_url_is_part_of_what_twilio_signs(type_in: Any) -> None:
    body = payload("twilio", "sms")
    url = "https://hooks.example.com/hooks/twilio/main?tenant=7"
    given = ("--secret", "auth_token=auth-token", "--url", url)
    curl = type_in("sign", "twilio", *given, "--curl", stdin=body).out
    assert curl.startswith(f"curl -i '{url}' -H ")
    signed = type_in("sign", "twilio", *given, stdin=body).out.splitlines()
    headers = [word for line in signed for word in ("--header", line)]
    assert type_in("verify", "twilio", *given, *headers, stdin=body).status == 0
    other = (*given[:2], "--url", url.replace("7", "8"))
    assert type_in("verify", "twilio", *other, *headers, stdin=body).status == 1


def test_a_recorded_request_is_judged_at_its_time(type_in: Any) -> None:
    body = payload("zendesk", "comment")
    given = ("--secret", "signing_secret=a-secret", "--at", "2026-11-03T09:15:00Z")
    signed = type_in("sign", "zendesk", *given, stdin=body).out.splitlines()
    headers = [word for line in signed for word in ("--header", line)]
    assert type_in("verify", "zendesk", *given, *headers, stdin=body).status == 0
    today = type_in("verify", "zendesk", *given[:2], *headers, stdin=body)
    assert today.out.startswith("invalid: stale: ")


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[str, Fakes]]:
    """Yield the address of an ingest on this machine, and what is behind it."""
    fakes = Fakes(clock=SystemClock())  # type: ignore[arg-type]
    config = uvicorn.Config(hook_app(fakes), port=0, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", fakes
    server.should_exit = True
    thread.join(10)


def test_a_running_hook_conforms(type_in: Any, running: tuple[str, Fakes]) -> None:
    url, fakes = running
    before = len(fakes.publisher.events)
    given = ("--provider", "chatwoot", "--secret", "webhook_secret=a-secret-of-the-webhook")
    done = type_in("conformance", "--url", f"{url}/hooks/chatwoot/main", *given)
    assert done.status == 0, done.out
    assert "✓ stale" in done.out
    assert "✓ a body too large" in done.out
    assert len(fakes.publisher.events) == before  # what it sends concerns no customer


def test_a_hook_with_another_secret_is_told_apart(type_in: Any, running: tuple[str, Fakes]) -> None:
    url = f"{running[0]}/hooks/chatwoot/main"
    given = ("--provider", "chatwoot", "--secret", "webhook_secret=not-the-secret")
    done = type_in("conformance", "--url", url, *given)
    assert done.status == 1
    assert "✗ right" in done.out


def test_a_hook_that_verifies_nothing_is_found(
    type_in: Any, running: tuple[str, Fakes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.ingest.adapters.chatwoot.Chatwoot.verify", lambda *_: None)
    given = ("--provider", "chatwoot", "--secret", "webhook_secret=a-secret-of-the-webhook")
    done = type_in("conformance", "--url", f"{running[0]}/hooks/chatwoot/main", *given, "--json")
    (report,) = json.loads(done.out)
    assert report["checks"]["wrong key"]["status"] == "fail"


def test_the_events_api_conforms_and_keeps_nothing(
    type_in: Any, running: tuple[str, Fakes]
) -> None:
    url, fakes = running
    before = len(fakes.publisher.events)
    done = type_in("conformance", "--url", url, "--api-key", API_KEY)
    assert done.status == 0, done.out
    assert len(fakes.publisher.events) == before


def test_the_events_api_takes_the_three_modes_when_told_to_send(
    type_in: Any, running: tuple[str, Fakes]
) -> None:
    url, fakes = running
    before = len(fakes.publisher.events)
    done = type_in("conformance", "--url", url, "--api-key", API_KEY, "--send")
    assert done.status == 0, done.out
    assert len(fakes.publisher.events) == before + 4  # structured, two in a batch, binary


def test_nobody_there_is_a_failure_not_an_error(type_in: Any) -> None:
    given = ("--provider", "chatwoot", "--secret", "webhook_secret=a-secret-of-the-webhook")
    done = type_in("conformance", "--url", "http://127.0.0.1:9/hooks/chatwoot/main", *given)
    assert done.status == 1
    assert "no answer" in done.out
