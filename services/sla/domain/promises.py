"""The promises in force, ready to start clocks: targets with their calendars, by channel."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.sla.domain.calendar import Calendar
from services.sla.domain.charter import CharterFile
from shared.policy import Policy

FIRST_RESPONSE = "first-response"
"""The target that a customer's first message starts and a person's first answer meets."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One target on one channel, ready to start clocks: its calendar and the charter's version.

    `warn_after` has the shares to warn at, each with the open time after which.
    """

    target: str
    channel: str
    channel_account: str | None
    within: timedelta
    warn_after: tuple[tuple[float, timedelta], ...]
    calendar_name: str
    calendar: Calendar
    charter_version: str

    def due_at(self, started_at: datetime) -> datetime:
        """Return when the promise that began at `started_at` must be kept by."""
        return self.calendar.add(started_at, self.within)

    def warnings(self, started_at: datetime) -> tuple[tuple[float, datetime], ...]:
        """Return each share to warn at with its instant, in order."""
        add = self.calendar.add
        return tuple((share, add(started_at, after)) for share, after in self.warn_after)


@dataclass(frozen=True, slots=True)
class Charter:
    """The promises in force, by channel and channel account."""

    version: str
    promises: Mapping[tuple[str, str | None], Promise]

    def promise_for(self, channel: str, channel_account: str | None) -> Promise | None:
        """Return what is promised there: the account's own promise, else the channel's."""
        promise = self.promises.get((channel, channel_account))
        return promise or self.promises.get((channel, None))

    def watches(self, channel: str, channel_account: str | None) -> bool:
        """Return whether anything is promised there; an unknown account (None) may be any."""
        if channel_account is None:
            return any(promised == channel for promised, _ in self.promises)
        return self.promise_for(channel, channel_account) is not None


def charter_of(policy: Policy[CharterFile]) -> Charter:
    """Return the charter that a validated `charter.yaml` states."""
    content = policy.content
    promises = {
        (written.channel, written.channel_account): Promise(
            target=FIRST_RESPONSE,
            channel=written.channel,
            channel_account=written.channel_account,
            within=written.first_response.within,
            warn_after=tuple(
                (share, _share_of(written.first_response.within, share))
                for share in written.first_response.warn_at
            ),
            calendar_name=written.first_response.calendar,
            calendar=content.calendars[written.first_response.calendar].calendar,
            charter_version=policy.version,
        )
        for written in content.promises
    }
    return Charter(policy.version, promises)


def _share_of(within: timedelta, share: float) -> timedelta:
    """Cut to whole milliseconds, as all stored times are, and never to nothing."""
    millisecond = timedelta(milliseconds=1)
    return max(within * share // millisecond * millisecond, millisecond)
