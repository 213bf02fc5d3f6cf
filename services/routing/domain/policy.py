"""The routing policy, `routing.yaml`: pools, queues, capacity units, offers, rules."""

from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from shared.policy import KeyProblems, PolicyModel
from shared.policy_yaml import KeyPath

Word = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64)]
Units = Annotated[int, Field(ge=1, le=10_000)]
Priority = Annotated[int, Field(ge=-100, le=100)]
Phrase = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
LeaseSeconds = Annotated[float, Field(gt=0, le=3_600)]

DEFAULT_UNITS = 1


class OfferPolicy(PolicyModel):
    """How work is offered.

    An offer stands for `lease_seconds`. Agents who refused a work item are asked again once it
    has waited `retry_after_seconds` more. An agent who lets `away_after_expiries` offers in a row
    expire becomes `away`. One point of priority is worth `head_start_seconds` of age.
    """

    lease_seconds: LeaseSeconds = 30
    retry_after_seconds: Annotated[float, Field(gt=0, le=86_400)] = 30
    away_after_expiries: Annotated[int, Field(ge=1, le=100)] = 3
    head_start_seconds: Annotated[float, Field(ge=0, le=86_400)] = 60


class Queue(PolicyModel):
    """A waiting line: who serves it, what it takes, how urgent it is.

    `capacity_units` by channel goes before the policy's own.
    """

    pool: Word
    required_skills: tuple[Word, ...] = ()
    priority: Priority = 0
    capacity_units: dict[Word, Units] = Field(default_factory=dict)
    lease_seconds: LeaseSeconds | None = None


class Match(PolicyModel):
    """What a rule looks at; every condition given must hold, any of its values will do.

    `words` are whole words or phrases in the subject or text, in any case; a final `*` stands for
    any ending, as in `reklam*`.
    """

    channel: tuple[Word, ...] = ()
    provider: tuple[Word, ...] = ()
    channel_account: tuple[Phrase, ...] = ()
    words: tuple[Phrase, ...] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.channel or self.provider or self.channel_account or self.words):
            raise ValueError(
                "matches nothing in particular; give it a channel, provider, channel_account or "
                "words, or use default_queue"
            )
        problems: list[tuple[KeyPath, str]] = [
            (("words", place), "`*` alone is no word; leave out `words` to match any text")
            for place, phrase in enumerate(self.words)
            if not phrase.rstrip("*").strip()
        ]
        if problems:
            raise KeyProblems(*problems)
        return self


class Rule(PolicyModel):
    """Where a first message goes: the first rule that matches decides.

    `required_skills` come on top of the queue's; `priority` and `capacity_units` replace them.
    """

    match: Match
    queue: Word
    required_skills: tuple[Word, ...] = ()
    priority: Priority | None = None
    capacity_units: Units | None = None


class RoutingPolicy(PolicyModel):
    """Everything `routing.yaml` says."""

    pools: Annotated[tuple[Word, ...], Field(min_length=1)]
    queues: Annotated[dict[Word, Queue], Field(min_length=1, max_length=200)]
    default_queue: Word
    offers: OfferPolicy = OfferPolicy()
    capacity_units: dict[Word, Units] = Field(default_factory=dict)
    rules: tuple[Rule, ...] = ()

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        queues, pools = ", ".join(self.queues), ", ".join(self.pools)
        problems: list[tuple[KeyPath, str]] = [
            (("queues", name, "pool"), f"{queue.pool} is no pool; use one of: {pools}")
            for name, queue in self.queues.items()
            if queue.pool not in self.pools
        ]
        problems += [
            (("rules", place, "queue"), f"{rule.queue} is no queue; use one of: {queues}")
            for place, rule in enumerate(self.rules)
            if rule.queue not in self.queues
        ]
        if self.default_queue not in self.queues:
            text = f"{self.default_queue} is no queue; use one of: {queues}"
            problems.append((("default_queue",), text))
        if problems:
            raise KeyProblems(*problems)
        return self

    def lease(self, queue: str) -> timedelta:
        """Return how long an offer from this queue stands."""
        own = self.queues[queue].lease_seconds if queue in self.queues else None
        return timedelta(seconds=own or self.offers.lease_seconds)

    def units(self, queue: str, channel: str) -> int:
        """Return the capacity a work item of this channel takes in this queue."""
        default = self.capacity_units.get(channel, DEFAULT_UNITS)
        return self.queues[queue].capacity_units.get(channel, default)

    @property
    def head_start(self) -> timedelta:
        """Return the age one point of priority is worth."""
        return timedelta(seconds=self.offers.head_start_seconds)

    @property
    def retry_after(self) -> timedelta:
        """Return how long a refused work item waits before its refusers are asked again."""
        return timedelta(seconds=self.offers.retry_after_seconds)
