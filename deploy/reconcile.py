"""`throughline reconcile`: what a provider had while we were down, published under its own ids.

The list goes through the adapter of the hook, so every event gets the id it would have had; what
had arrived already changes nothing, and the command may be repeated.
"""

import argparse
import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.ingest.accounts import Door, open_doors
from services.ingest.adapters.building import from_iso
from services.ingest.adapters.contract import Parsed
from services.ingest.domain import limits
from services.ingest.domain.addresses import AddressRefused, target_of
from services.ingest.domain.channels import ChannelsPolicy
from services.ingest.listers.contract import FIRST, Lister, Page, Question
from services.ingest.listers.registry import LISTERS
from services.ingest.outgoing import Guard, NotSent, OutcomeUnknown, call
from services.ingest.publisher import EventPublisher, without_doubles
from services.ingest.readers import IsolatedReader, Reader, read_here
from services.ingest.replies.sending import placed
from services.ingest.senders.contract import API_URL, Answer, Call, retry_after
from services.ingest.settings import Settings
from services.ingest.store import Store, keep
from shared.clock import Clock, SystemClock
from shared.errors import PolicyError, ThroughlineError
from shared.events import Event
from shared.ids import KeyedIds
from shared.mongo import Database
from shared.policy import load_policy
from shared.settings import CommonSettings, load_settings
from shared.streams import Publisher

ATTEMPTS = 6  # with pauses of 1, 2, 4, 8 and 16 s: half a minute
_GONE = frozenset({404, 410})
_LOCAL = "127.0.0.1"
_AGO = re.compile(r"([0-9]{1,4})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
Pause = Callable[[float], Awaitable[None]]


class NotListed(ThroughlineError):
    """The provider did not give its list; what was published until then stays."""


@dataclass(frozen=True)
class Sink:
    """Where what is listed goes: events to Kafka, whole mails to MongoDB before them."""

    publisher: EventPublisher
    store: Store

    async def take(self, parsed: Sequence[Parsed], events: Sequence[Event]) -> None:
        """Return when all of it is durable, or raise `Unavailable`."""
        for one in parsed:
            await keep(self.store, one.blobs)
        await self.publisher.publish(events)


@dataclass
class Reconciler:
    """Lists one channel account; `pause` and `clock` are the machine's unless a test gives others.

    `sink` is None for a dry run.
    """

    door: Door
    lister: Lister
    ids: KeyedIds
    sink: Sink | None = None
    reader: Reader = read_here
    guard: Guard = field(default_factory=Guard)
    pause: Pause = asyncio.sleep
    clock: Clock = field(default_factory=SystemClock)
    listed: int = 0
    published: int = 0
    unreadable: int = 0
    _asked: set[Question] = field(default_factory=set)

    async def run(self, since: datetime) -> None:
        """Publish page by page; raise `NotListed`, `BadPage` or `Unavailable` where it stops."""
        async for page in self._pages(FIRST, since):
            self.listed += len(page.requests)
            await self._take(page)

    async def _pages(self, question: Question, since: datetime) -> AsyncIterator[Page]:
        """Yield the page of a question, those of what it names, and those that follow."""
        following: Question | None = question
        while following is not None:
            if following in self._asked:
                raise NotListed("The provider's pages go round in a circle.", "Try again later.")
            self._asked.add(following)
            may_be_gone = following is question and question != FIRST
            page = await self._page(following, since, may_be_gone=may_be_gone)
            yield page
            for item in page.items:
                if item not in self._asked:
                    async for below in self._pages(item, since):
                        yield below
            following = page.following

    async def _page(self, question: Question, since: datetime, *, may_be_gone: bool) -> Page:
        """Return the page of a question; an item the provider has no more counts as not read."""
        account = self.door.account
        answer = await self._answer(self.lister.compose(account, since, question))
        if answer.status in _GONE and may_be_gone:
            self.unreadable += 1
            return Page()
        if answer.status != 200:
            raise _refused(f"HTTP {answer.status}")
        return self.lister.read(answer, account, since, question)

    async def _take(self, page: Page) -> None:
        """Translate as the hook would, keep and publish; what is listed needs no dead letter."""
        now, door = self.clock.now(), self.door
        parsed = [
            await self.reader(door.adapter, each, door.account, now, self.ids)
            for each in page.requests
        ]
        events = without_doubles(event for one in parsed for event in one.events)
        self.unreadable += sum(bool(one.broken) for one in parsed)
        if self.sink is not None:
            await self.sink.take(parsed, events)
        self.published += len(events)

    async def _answer(self, composed: Call) -> Answer:
        """Return an answer; a list may be asked for again, so every doubt is tried again."""
        try:
            placed_call, hosts = placed(composed, self.door)
        except AddressRefused as refused:
            raise NotListed(f"api_url may not be asked: {refused}.", "Name https.") from None
        why = ""
        for attempt in range(ATTEMPTS):
            wait: timedelta | None = None
            try:
                answer = await call(self.guard, placed_call, hosts, limit=limits.FETCHED)
            except AddressRefused as refused:
                raise NotListed(
                    f"The provider may not be asked: {refused}.", "See api_url."
                ) from None
            except (NotSent, OutcomeUnknown) as error:
                why = f"no answer, {error}"
            else:
                if answer.status != 429 and answer.status < 500:
                    return answer
                why, wait = f"HTTP {answer.status}", retry_after(answer)
            if attempt < ATTEMPTS - 1:
                await self.pause(wait.total_seconds() if wait else 2.0**attempt)
        raise _refused(why)


def _refused(why: str) -> NotListed:
    return NotListed(
        f"The provider does not give its list ({why}).",
        "Check the channel account's credentials; what is published already stays.",
    )


async def reconcile(options: argparse.Namespace) -> int:
    """Run the command; status 0, or 1 if something that was listed could not be read."""
    settings = load_settings(Settings)
    common = settings.common
    since = since_of(options.since, SystemClock().now())
    policy = load_policy(Path(common.policy) / "channels.yaml", ChannelsPolicy).content
    door, lister = what_to_list(policy, options.provider, options.account)
    ids, reader = KeyedIds(common.id_key.get_secret_value()), IsolatedReader()
    guard = guard_of(settings.outgoing_allow, door)
    async with _opened(common, dry_run=options.dry_run) as sink:
        reconciler = Reconciler(door, lister, ids, sink, reader, guard)
        try:
            await reconciler.run(since)
        finally:
            await reader.close()
            print(report(reconciler, since))
    return 1 if reconciler.unreadable else 0


@contextlib.asynccontextmanager
async def _opened(common: CommonSettings, *, dry_run: bool) -> AsyncIterator[Sink | None]:
    if dry_run:
        yield None
        return
    publisher = Publisher(common.kafka, common.prefix)
    database = Database(common.mongodb, common.database("ingest"))
    await publisher.start()
    try:
        yield Sink(publisher, database)
    finally:
        await publisher.stop()
        database.close()


def report(reconciler: Reconciler, since: datetime) -> str:
    """Return what was done, in a sentence or two."""
    done = "published" if reconciler.sink is not None else "would be published"
    told = (
        f"{reconciler.listed} listed since {since:%Y-%m-%d %H:%M:%S} UTC, "
        f"{reconciler.published} events {done}; those that had arrived change nothing"
    )
    return told + (f"; {reconciler.unreadable} could not be read" if reconciler.unreadable else "")


def since_of(written: str, now: datetime) -> datetime:
    """Return the time written as RFC 3339 or as how long ago (`90m`, `6h`, `2d`)."""
    ago = _AGO.fullmatch(written.strip())
    since = now - timedelta(**{_UNITS[ago[2]]: int(ago[1])}) if ago else from_iso(written.strip())
    if since is None or since >= now:
        raise ThroughlineError(
            "--since is not a time in the past.", "Write 2026-11-03T08:00:00Z, or 90m, 6h, 2d."
        )
    return since.astimezone(UTC)


def what_to_list(policy: ChannelsPolicy, provider: str, account: str) -> tuple[Door, Lister]:
    """Return the door and the lister of a channel account, or say what is missing."""
    lister = LISTERS.get(provider)
    if lister is None:
        raise ThroughlineError(
            f"{provider} cannot list past messages.", f"These can: {', '.join(sorted(LISTERS))}."
        )
    entry = policy.channel_account(provider, account)
    if entry is None:
        raise PolicyError(
            f"channels.yaml: there is no channel account {provider}/{account}.", "Give --account."
        )
    # only this one: the secrets of the others need not be here
    alone = policy.model_copy(update={"channel_accounts": (entry,)})
    door = open_doors(alone)[provider, account]
    missing = sorted(lister.options - door.account.options.keys()) or sorted(
        lister.secrets - door.account.secrets.keys()
    )
    if missing:
        raise PolicyError(
            f"channels.yaml: {missing[0]} of channel account {provider}/{account} is missing.",
            "Listing needs it, as sending does.",
        )
    return door, lister


def guard_of(allowed: str, door: Door) -> Guard:
    """Return the guard of our calls: what operators allow, and an `api_url` on this machine."""
    exempt = allowed.split(",")
    base = door.account.options.get(API_URL, "")
    try:
        target = target_of(base) if base else None
    except AddressRefused:
        target = None
    if target is not None and target.host == _LOCAL:
        exempt.append(target.place)
    return Guard(exempt)
