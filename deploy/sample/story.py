"""The sample's story, told to the running system and checked on the customer's timeline.

Ana is known to a shop by her e-mail address and her number. She writes an e-mail, a WhatsApp
message and an SMS. One timeline must hold all three, the cases opened for them, their offers to
the agent Maja and her acceptance, the promise's clock and its warning. Then Maja answers the
e-mail: her reply must be in Ana's mailbox, in the thread, and on the timeline.
"""

import json
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any
from urllib.parse import quote

from deploy.sample.mailbox import Mailbox
from deploy.sample.send import send_sample
from shared.errors import ThroughlineError

ADDRESS = "email:ana.kovac@example.si"
NUMBER = "tel:+38640123456"
AGENT = "agent-maja"
ANSWER = "Dear Ana, a new lid is on its way to you. Maja"
_TIMEOUT = 10.0  # seconds for one request
_PATIENCE = 60.0  # seconds for the whole story: its longest promise takes three
_EXPECTED = {
    "message.received": 3,
    "case.opened": 3,
    "offer.made": 3,
    "offer.accepted": 3,
    "clock.started": 3,
    "clock.warned": 1,
}
_CHANNELS = {"email", "messaging", "sms"}


class StoryFailed(ThroughlineError):
    """The timeline does not show what was sent."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the services of a local run answer."""

    ingest: str
    routing: str
    profile: str
    smtp_host: str
    smtp_port: int


def tell(
    places: Places, secrets: Mapping[str, str], say: Callable[[str], None], mailbox: Mailbox
) -> str:
    """Send the sample, accept the offers, wait for the timeline, answer; return the page's address.

    `mailbox` is Ana's, where the answer must arrive.
    """
    _declare_agent(places)
    say("agent Maja is available; sending Ana's e-mail, WhatsApp message and SMS …")
    send_sample(
        places.ingest,
        places.smtp_host,
        places.smtp_port,
        whatsapp_app_secret=secrets["WHATSAPP_APP_SECRET"],
        twilio_auth_token=secrets["TWILIO_AUTH_TOKEN"],
        twilio_public_url="https://hooks.example.com/hooks/twilio/main",
        api_key=secrets["DEMO_SHOP_KEY"],
        run=str(int(time.time())),
    )
    say("all taken (Kafka has acknowledged); waiting for the offers and the timeline …")
    deadline = time.monotonic() + _PATIENCE
    missing = ["the customer"]
    while time.monotonic() < deadline:
        _accept_offers(places)
        customer = _customer(places)
        if customer is not None:
            missing = _missing(places, customer)
            if not missing:
                say("the timeline holds all of it; Maja answers the e-mail …")
                _answer(places, secrets["DEMO_SHOP_KEY"], customer)
                _await_answer(places, customer, mailbox)
                return f"{places.profile}/customers/{customer['customer_id']}"
        time.sleep(0.1)
    raise StoryFailed(
        f"The timeline lacks {', '.join(missing)} after {_PATIENCE:.0f} s.",
        "Look at the services' logs named above.",
    )


def _answer(places: Places, api_key: str, customer: Mapping[str, Any]) -> None:
    """Send Maja's reply to the e-mail, through the API that an agent's desktop uses."""
    asked = next(e for e in _entries(places, customer) if _is_mail(e))
    conversation = f"{places.ingest}/v1/conversations/{asked['conversation_id']}"
    key = {"Authorization": f"Bearer {api_key}", "Idempotency-Key": asked["id"]}
    _send(
        f"{conversation}/replies",
        {"text": ANSWER, "sender": "agent", "agent_id": AGENT},
        "POST",
        key,
    )


def _await_answer(places: Places, customer: Mapping[str, Any], mailbox: Mailbox) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        sent = [e for e in _entries(places, customer) if e["kind"] == "message.sent"]
        if sent and any(ANSWER in _text(mail) and mail["In-Reply-To"] for mail in mailbox.mails):
            return
        time.sleep(0.1)
    raise StoryFailed(
        "Maja's answer is not in Ana's mailbox and on the timeline.",
        "Look at the log of ingest named above.",
    )


def _text(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    return str(body.get_content()) if body is not None else ""


def _is_mail(entry: Mapping[str, Any]) -> bool:
    return bool(entry["kind"] == "message.received" and entry["channel"] == "email")


def _declare_agent(places: Places) -> None:
    agent = {
        "name": "Maja Novak",
        "pool": "default",
        "skills": ["orders", "complaints"],
        "capacity_units": 6,
        "status": "available",
    }
    _send(f"{places.routing}/v1/agents/{AGENT}", agent, "PUT")


def _accept_offers(places: Places) -> None:
    for offer in _get(f"{places.routing}/v1/offers?agent_id={AGENT}")["offers"]:
        accept = f"{places.routing}/v1/offers/{offer['offer_id']}/accept"
        _send(accept, {"agent_id": AGENT}, "POST")


def _customer(places: Places) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = _get(
            f"{places.profile}/v1/customers?contact_point={quote(ADDRESS)}"
        )
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise
    return found


def _missing(places: Places, customer: Mapping[str, Any]) -> list[str]:
    entries = _entries(places, customer)
    kinds = Counter(entry["kind"] for entry in entries)
    missing = [f"{n - kinds[kind]} {kind}" for kind, n in _EXPECTED.items() if kinds[kind] < n]
    channels = {e["channel"] for e in entries if e["kind"] == "message.received"}
    missing += [f"a message by {channel}" for channel in sorted(_CHANNELS - channels)]
    missing += [a for a in ("her address", "her number") if not _holds(customer, a)]
    return missing


def _entries(places: Places, customer: Mapping[str, Any]) -> list[dict[str, Any]]:
    timeline = f"{places.profile}/v1/customers/{customer['customer_id']}/timeline?limit=200"
    found: list[dict[str, Any]] = _get(timeline)["entries"]
    return found


def _holds(customer: Mapping[str, Any], which: str) -> bool:
    return {"her address": ADDRESS, "her number": NUMBER}[which] in customer["contact_points"]


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:
        return json.load(answer)


def _send(
    url: str, body: Mapping[str, Any], method: str, headers: Mapping[str, str] | None = None
) -> Any:
    given = {"Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(url, json.dumps(body).encode(), given, method=method)
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
        return json.load(answer)
