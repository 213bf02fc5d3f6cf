"""One attempt to send a claimed reply: put in the provider's words, prepared, marked, sent.

`sending` is written down once all preparatory calls are made and before the one that sends. What
breaks earlier was surely not sent.
"""

from services.ingest.accounts import Door
from services.ingest.domain.outcomes import Outcome, Refused
from services.ingest.metrics import Meter
from services.ingest.outgoing import FetchFailed, Guard
from services.ingest.replies.composing import FileSource, compose
from services.ingest.replies.sending import Deliver, NotPrepared, ask, attempt
from services.ingest.replies.store import ReplyStore, reply_from
from services.ingest.senders.contract import Answer, Call, Composed, NotSendable, Sender
from services.ingest.store import Document
from shared.clock import Clock
from shared.errors import Unavailable
from shared.observability import get_logger
from shared.streams.crash import crash_point

_log = get_logger("ingest")


class _LeaseLost(Exception):
    """Somebody else works on the reply by now."""


class Attempts:
    """Makes attempts, and counts what came of them."""

    def __init__(
        self,
        store: ReplyStore,
        guard: Guard,
        files: FileSource,
        deliver: Deliver,
        clock: Clock,
        meter: Meter,
    ) -> None:
        self._store, self._guard, self._files = store, guard, files
        self._deliver, self._clock, self._meter = deliver, clock, meter

    async def make(self, reply: Document, owner: str, door: Door, sender: Sender) -> Outcome | None:
        """Return the outcome of one attempt; None if the lease was lost before it."""
        try:
            composed = await self._compose(reply, owner, door, sender)
        except _LeaseLost:
            return None
        except NotPrepared as error:
            self._count(reply, error.outcome)
            return error.outcome
        if isinstance(composed, Refused):
            return composed
        attempts, now = reply["attempts"] + 1, self._clock.now()
        if await self._store.mark_sending(reply["_id"], owner, attempts, now) is None:
            return None
        crash_point("reply-marked")
        outcome = await attempt(self._guard, door, composed, self._deliver, self._clock.now())
        crash_point("reply-called")
        self._count(reply, outcome)
        return outcome

    async def _compose(
        self, reply: Document, owner: str, door: Door, sender: Sender
    ) -> Composed | Refused:
        """Return the call that sends a reply, once it is prepared, or why there can be none."""

        async def ask_held(call: Call) -> Answer:
            attempts, now = reply["attempts"] + 1, self._clock.now()
            if await self._store.hold(reply["_id"], owner, attempts, now) is None:
                raise _LeaseLost
            return await ask(self._guard, door, call, now)

        try:
            return await compose(reply_from(reply), door, sender, self._files, ask_held)
        except (NotSendable, FetchFailed) as error:
            return Refused(str(error))
        except (_LeaseLost, NotPrepared, Unavailable):
            raise
        except Exception as error:
            _log.error("a reply could not be composed", exc_info=error, provider=reply["provider"])
            return Refused("it cannot be put in the provider's words")

    def _count(self, reply: Document, outcome: Outcome) -> None:
        self._meter.count(
            "ingest_reply_calls_total",
            provider=reply["provider"],
            account=reply["account"],
            outcome=type(outcome).__name__.lower(),
        )
