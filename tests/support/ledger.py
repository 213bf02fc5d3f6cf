"""A service that keeps books: it notes every event in state, outbox and timer, and how often.

Whatever is applied twice, or not at all, shows in its documents. Run as
`python -m tests.support.ledger`, so that tests can kill it.
"""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from deploy.local.ports import free_port
from shared.events.contact import MessageReceived
from shared.events.envelope import About
from shared.events.routing import CaseOpened, CaseOpenedData
from shared.mongo import Collection, Database
from shared.service import Service
from shared.settings import ServiceSettings, load_settings, settings_for
from shared.streams import Effects, Find, Incoming, Processor, Publisher, Received, State
from tests.support.deployment import Deployment

_UNSTORABLE: dict[str, Callable[[], Any]] = {
    "too large a number": lambda: 2**70,
    "too large a document": lambda: "x" * (17 * 1024 * 1024),
    "half a character": lambda: "\ud800",
}
TIMER_AFTER = timedelta(milliseconds=300)


class Settings(ServiceSettings):
    """The ledger's settings, under the profile service's prefix: another would be refused."""

    model_config = settings_for("profile")


def needs(incoming: Sequence[Incoming], _state: State) -> Iterable[Find]:
    """Ask for the pages of the conversations concerned."""
    ids = frozenset(_page(one) for one in incoming)
    return [Find("pages", ids)] if ids else []


def _page(one: Incoming) -> str:
    if isinstance(one, Received):
        return one.event.partitionkey
    return str(one.data["page"])


def decide(incoming: Sequence[Incoming], state: State, now: datetime) -> Effects:
    """Note each event once in its page, publish that, and set a timer that notes itself too."""
    effects = Effects()
    pages: dict[str, dict[str, Any]] = {}
    for one in incoming:
        name = _page(one)
        page = pages.get(name) or state.get("pages", name) or {"_id": name}
        pages[name] = page = {"applied": {}, "fired": {}, "writes": 0, **page}
        page["writes"] += 1
        if isinstance(one, Received):
            _note(one, page, now, effects)
        else:
            fired = page["fired"]
            fired[one.data["event"]] = fired.get(one.data["event"], 0) + 1
            effects.publish(_notice(one.data["event"], name, now, "timer"), because=one)
    for page in pages.values():
        effects.save("pages", page)
    return effects


def _note(one: Received, page: dict[str, Any], now: datetime, effects: Effects) -> None:
    event = one.event
    text = event.data.text if isinstance(event, MessageReceived) else ""
    if text == "poison":
        raise ValueError("poison")
    if text in _UNSTORABLE:
        effects.save("pages", {"_id": f"{text} {event.id}", "body": _UNSTORABLE[text]()})
    if event.id in page["applied"]:
        return
    page["applied"][event.id] = page["applied"].get(event.id, 0) + 1
    effects.publish(_notice(event.id, page["_id"], now, "event"), because=one)
    effects.set_timer(
        f"timer-{event.id}",
        "note",
        now + TIMER_AFTER,
        {"page": page["_id"], "event": event.id},
        because=one,
    )


def _notice(cause: str, page: str, now: datetime, about: str) -> CaseOpened:
    data = CaseOpenedData(
        about=About(conversation_id=page, channel="chat", contact_points=("chat:x",)),
        queue="general",
        policy_version="1",
    )
    return CaseOpened.following(cause, data, source="/ledger", time=now, key=page, about=about)


PROCESSOR = Processor("ledger", ("contact-events",), needs, decide, rounds=1)
COLLECTIONS = (Collection("pages"),)


def create_app() -> Service:
    """Build the ledger from the environment, as a real service does."""
    settings = load_settings(Settings)
    common = settings.common
    return Service(
        "ledger",
        settings,
        database=Database(common.mongodb, common.database("ledger")),
        publisher=Publisher(common.kafka, common.prefix),
        processors=(PROCESSOR,),
        collections=COLLECTIONS,
    )


def in_this_process(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Service:
    """Build a ledger here, so that a test can look into it."""
    for name in [name for name in os.environ if name.startswith("THROUGHLINE_")]:
        monkeypatch.delenv(name)
    for name, value in deployment.environment().items():
        if name.startswith("THROUGHLINE_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("THROUGHLINE_PROFILE_OPS_PORT", str(free_port()))
    return create_app()


if __name__ == "__main__":
    sys.exit(create_app().run())
