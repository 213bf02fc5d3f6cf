"""The sample's story, told to the running system and checked on the customer's timeline.

Ana is known to a shop by her e-mail address and her number. She writes an e-mail, a WhatsApp
message and an SMS. One timeline must hold all three, the cases opened for them, their offers to
the agent Maja and her acceptance, the promise's clock and its warning.
"""

import json
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from deploy.sample.send import send_sample
from shared.errors import ThroughlineError

ADDRESS = "email:ana.kovac@example.si"
NUMBER = "tel:+38640123456"
AGENT = "agent-maja"
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


def tell(places: Places, secrets: Mapping[str, str], say: Callable[[str], None]) -> str:
    """Send the sample, accept the offers, wait for the timeline; return the page's address."""
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
                return f"{places.profile}/customers/{customer['customer_id']}"
        time.sleep(0.1)
    raise StoryFailed(
        f"The timeline lacks {', '.join(missing)} after {_PATIENCE:.0f} s.",
        "Look at the services' logs named above.",
    )


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
    entries = _get(f"{places.profile}/v1/customers/{customer['customer_id']}/timeline?limit=200")
    kinds = Counter(entry["kind"] for entry in entries["entries"])
    missing = [f"{n - kinds[kind]} {kind}" for kind, n in _EXPECTED.items() if kinds[kind] < n]
    channels = {e["channel"] for e in entries["entries"] if e["kind"] == "message.received"}
    missing += [f"a message by {channel}" for channel in sorted(_CHANNELS - channels)]
    missing += [a for a in ("her address", "her number") if not _holds(customer, a)]
    return missing


def _holds(customer: Mapping[str, Any], which: str) -> bool:
    return {"her address": ADDRESS, "her number": NUMBER}[which] in customer["contact_points"]


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:
        return json.load(answer)


def _send(url: str, body: Mapping[str, Any], method: str) -> Any:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}, method=method
    )
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
        return json.load(answer)
