"""`throughline reconcile`: what a provider had while we were down, published under its own ids.

The list goes through the adapter of the hook, so every event gets the id it would have had; what
had arrived already changes nothing, and the command may be repeated.
"""

import argparse
import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.ingest.accounts import Door, open_doors
from services.ingest.adapters.building import from_iso
from services.ingest.domain import limits
from services.ingest.domain.addresses import AddressRefused, target_of
from services.ingest.domain.channels import ChannelsPolicy
from services.ingest.listers.contract import Lister, Page
from services.ingest.listers.registry import LISTERS
from services.ingest.outgoing import Guard, NotSent, OutcomeUnknown, call
from services.ingest.parse import read
from services.ingest.publisher import EventPublisher, without_doubles
from services.ingest.replies.sending import placed
from services.ingest.senders.contract import API_URL, Answer, Call, retry_after
from services.ingest.settings import Settings
from shared.clock import Clock, SystemClock
from shared.errors import PolicyError, ThroughlineError
from shared.ids import KeyedIds
from shared.policy import load_policy
from shared.settings import load_settings
from shared.streams import Publisher

ATTEMPTS = 6  # with pauses of 1, 2, 4, 8 and 16 s: half a minute
_LOCAL = "127.0.0.1"
_AGO = re.compile(r"([0-9]{1,4})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
Pause = Callable[[float], Awaitable[None]]


class NotListed(ThroughlineError):
    """The provider did not give its list; what was published until then stays."""


@dataclass
class Reconciler:
    """Lists one channel account; `pause` and `clock` are the machine's unless a test gives others.

    `publisher` is None for a dry run.
    """

    door: Door
    lister: Lister
    ids: KeyedIds
    publisher: EventPublisher | None = None
    guard: Guard = field(default_factory=Guard)
    pause: Pause = asyncio.sleep
    clock: Clock = field(default_factory=SystemClock)
    listed: int = 0
    published: int = 0
    unreadable: int = 0

    async def run(self, since: datetime) -> None:
        """Publish page by page; raise `NotListed`, `BadPage` or `Unavailable` where it stops."""
        async for page in self._pages(since):
            self.listed += len(page.requests)
            await self._take(page)

    async def _pages(self, since: datetime) -> AsyncIterator[Page]:
        seen: set[str | None] = set()
        cursor: str | None = None
        while cursor not in seen:
            seen.add(cursor)
            composed = self.lister.compose(self.door.account, since, cursor)
            page = self.lister.read(await self._answer(composed), self.door.account, since)
            yield page
            if page.cursor is None:
                return
            cursor = page.cursor
        raise NotListed("The provider's pages go round in a circle.", "Try again later.")

    async def _take(self, page: Page) -> None:
        """Translate as the hook would, and publish; nothing is dead-lettered: it can be listed."""
        now, door = self.clock.now(), self.door
        parsed = [read(door.adapter, each, door.account, now, self.ids) for each in page.requests]
        events = without_doubles(event for one in parsed for event in one.events)
        self.unreadable += sum(bool(one.broken) for one in parsed)
        if self.publisher is not None:
            await self.publisher.publish(events)
        self.published += len(events)

    async def _answer(self, composed: Call) -> Answer:
        """Return a good answer; a list may be asked for again, so every doubt is tried again."""
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
                if answer.status == 200:
                    return answer
                why, wait = f"HTTP {answer.status}", retry_after(answer)
                if answer.status != 429 and answer.status < 500:
                    break
            if attempt < ATTEMPTS - 1:
                await self.pause(wait.total_seconds() if wait else 2.0**attempt)
        raise NotListed(
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
    publisher = None if options.dry_run else Publisher(common.kafka, common.prefix)
    ids = KeyedIds(common.id_key.get_secret_value())
    guard = guard_of(settings.outgoing_allow, door)
    reconciler = Reconciler(door, lister, ids, publisher, guard)
    if publisher is not None:
        await publisher.start()
    try:
        await reconciler.run(since)
    finally:
        if publisher is not None:
            await publisher.stop()
        print(report(reconciler, since))
    return 1 if reconciler.unreadable else 0


def report(reconciler: Reconciler, since: datetime) -> str:
    """Return what was done, in a sentence or two."""
    done = "published" if reconciler.publisher is not None else "would be published"
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
