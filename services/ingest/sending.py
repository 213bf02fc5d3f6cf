"""One attempt to send: from a composed call or mail to an outcome, whatever happens on the way."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import urlsplit

from services.ingest.accounts import Door
from services.ingest.domain.addresses import AddressRefused, target_of
from services.ingest.outgoing import Guard, NotSent, OutcomeUnknown, call
from services.ingest.senders.contract import (
    API_URL,
    Call,
    Composed,
    Later,
    Mail,
    Outcome,
    Own,
    Refused,
    Reply,
    Unclear,
)
from services.ingest.submission import submit
from shared.errors import Unavailable
from shared.observability import get_logger

_log = get_logger("ingest")


Deliver = Callable[[Reply], Awaitable[Outcome]]
"""Takes a reply into our own chat; raises `Unavailable` when it is not known whether it did."""


async def attempt(guard: Guard, door: Door, composed: Composed, deliver: Deliver) -> Outcome:
    """Make the call, hand in the mail or take it to our own chat.

    Never raises, for what it raised would be an outcome.
    """
    assert door.sender is not None
    try:
        if isinstance(composed, Own):
            return await deliver(composed.reply)
        if isinstance(composed, Mail):
            return await submit(guard, composed)
        base = door.account.options.get(API_URL)
        hosts = frozenset({target_of(base).host}) if base else door.sender.hosts
        answer = await call(guard, based(composed, base), hosts)
    except AddressRefused as error:
        return Refused(f"not allowed: {error}")
    except NotSent as error:
        return Later(f"not reached ({error})")
    except OutcomeUnknown as error:
        return Unclear(f"no answer ({error})")
    except Unavailable:
        return Unclear("our own store did not answer")
    try:
        return door.sender.read(answer)
    except Exception as error:  # the answer of a stranger, in a sender's first version
        _log.error("an answer was not understood", exc_info=error, provider=door.account.provider)
        return Unclear("its answer was not understood")


def based(composed: Call, base: str | None) -> Call:
    """Return the call at another base, its own path behind it."""
    if base is None:
        return composed
    own = urlsplit(composed.url)
    target = base.rstrip("/") + own.path + (f"?{own.query}" if own.query else "")
    return replace(composed, url=target)
