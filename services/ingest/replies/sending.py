"""One attempt to send: from a composed call or mail to an outcome, whatever happens on the way."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

from services.ingest.accounts import Door
from services.ingest.domain import limits
from services.ingest.domain.addresses import AddressRefused, target_of
from services.ingest.domain.text import clean
from services.ingest.outgoing import Guard, NotSent, OutcomeUnknown, call
from services.ingest.replies.submission import submit
from services.ingest.senders.contract import (
    API_URL,
    Answer,
    Call,
    Composed,
    Later,
    Mail,
    Outcome,
    Own,
    Refused,
    Reply,
    Sent,
    Unclear,
)
from shared.errors import Unavailable
from shared.observability import get_logger

_log = get_logger("ingest")


Deliver = Callable[[Reply], Awaitable[Outcome]]
"""Takes a reply into our own chat; raises `Unavailable` when it is not known whether it did."""


class NotPrepared(Exception):
    """A preparatory call did not do its work: the reply was not sent."""

    def __init__(self, outcome: Later | Refused) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


async def ask(guard: Guard, door: Door, preparatory: Call, now: datetime) -> Answer:
    """Make a preparatory call and return its good answer.

    An earlier answer may have named its address, so that is judged strictly: it leads to the
    provider's own hosts, or to the base in `api_url`. Raises `NotPrepared`, also where no answer
    came: whatever happened, the customer has seen nothing of it.
    """
    assert door.sender is not None
    try:
        there, hosts = placed(preparatory, door)
        strict = guard.strict(door.account.options.get(API_URL))
        answer = await call(strict, there.signed(now), hosts)
    except AddressRefused as error:
        raise NotPrepared(Refused(f"not allowed: {error}")) from None
    except NotSent as error:
        raise NotPrepared(Later(f"not reached ({error})")) from None
    except OutcomeUnknown as error:
        raise NotPrepared(Later(f"no answer ({error})")) from None
    if why := door.sender.unprepared(answer):
        raise NotPrepared(why)
    return answer


async def attempt(
    guard: Guard, door: Door, composed: Composed, deliver: Deliver, now: datetime
) -> Outcome:
    """Make the call, hand in the mail or take it to our own chat.

    A call that is signed with a time is signed with `now`, for the host it goes to. Never raises,
    for what it raised would be an outcome.
    """
    assert door.sender is not None
    try:
        if isinstance(composed, Own):
            return await deliver(composed.reply)
        if isinstance(composed, Mail):
            return await submit(guard, composed)
        there, hosts = placed(composed, door)
        answer = await call(guard, there.signed(now), hosts)
    except AddressRefused as error:
        return Refused(f"not allowed: {error}")
    except NotSent as error:
        return Later(f"not reached ({error})")
    except OutcomeUnknown as error:
        return Unclear(f"no answer ({error})")
    except Unavailable:
        return Unclear("our own store did not answer")
    try:
        return _tellable(door.sender.read(answer))
    except Exception as error:  # the answer of a stranger, in a sender's first version
        _log.error("an answer was not understood", exc_info=error, provider=door.account.provider)
        return Unclear("its answer was not understood")


def _tellable(outcome: Outcome) -> Outcome:
    """Return an outcome that an event can tell, whatever the provider calls the message."""
    if isinstance(outcome, Sent):
        found = outcome.message_id
        if clean(found) != found or len(found) > limits.MESSAGE_ID:
            return Unclear("the provider's answer names an impossible message")
    return outcome


def placed(composed: Call, door: Door) -> tuple[Call, frozenset[str]]:
    """Return the call where its channel account says that it goes, and the hosts it may go to.

    The option `api_url` puts another base before the path, for the provider's own hosts only.
    """
    assert door.sender is not None
    base = door.account.options.get(API_URL)
    if base is None:
        return composed, door.sender.hosts
    other = frozenset({target_of(base).host})
    host = target_of(composed.url).host
    if host in other:
        return composed, other
    if host not in door.sender.hosts:
        raise AddressRefused("the host is not one of the provider's")
    own = urlsplit(composed.url)
    path = own.path + (f"?{own.query}" if own.query else "")
    return replace(composed, url=base.rstrip("/") + path), other
