"""Which queue a customer's first message belongs to: the first rule that matches decides."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from services.routing.domain.policy import Match, RoutingPolicy, Rule

_TEXT_READ = 4_000  # characters; what a message is about is said at its beginning


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What a rule may look at; `text` is the subject and the beginning of the text."""

    channel: str
    provider: str
    channel_account: str
    text: str


@dataclass(frozen=True, slots=True)
class Classification:
    """Where a work item goes and what it takes."""

    queue: str
    pool: str
    required_skills: tuple[str, ...]
    priority: int
    capacity_units: int


def readable(*parts: str | None) -> str:
    """Return subject and text as rules read them: one form for each letter, lower case."""
    whole = " ".join(part[:_TEXT_READ] for part in parts if part)[:_TEXT_READ]
    return whole.lower() if whole.isascii() else unicodedata.normalize("NFKC", whole).casefold()


class Classifier:
    """The rules of one policy, made ready once."""

    def __init__(self, policy: RoutingPolicy) -> None:
        self._policy = policy
        self._rules = tuple((_condition(rule.match), rule) for rule in policy.rules)

    def classify(self, inquiry: Inquiry) -> Classification:
        """Return what the first matching rule says, or what the default queue does."""
        for matches, rule in self._rules:
            if matches(inquiry):
                return self._result(inquiry, rule.queue, rule)
        return self._result(inquiry, self._policy.default_queue, None)

    def _result(self, inquiry: Inquiry, name: str, rule: Rule | None) -> Classification:
        queue = self._policy.queues[name]
        skills = {*queue.required_skills, *(rule.required_skills if rule else ())}
        priority = rule.priority if rule else None
        units = rule.capacity_units if rule else None
        return Classification(
            queue=name,
            pool=queue.pool,
            required_skills=tuple(sorted(skills)),
            priority=queue.priority if priority is None else priority,
            capacity_units=units or self._policy.units(name, inquiry.channel),
        )


def _condition(match: Match) -> Callable[[Inquiry], bool]:
    words = _pattern(match.words) if match.words else None

    def matches(inquiry: Inquiry) -> bool:
        return (
            (not match.channel or inquiry.channel in match.channel)
            and (not match.provider or inquiry.provider in match.provider)
            and (not match.channel_account or inquiry.channel_account in match.channel_account)
            and (words is None or words.search(inquiry.text) is not None)
        )

    return matches


def _pattern(phrases: tuple[str, ...]) -> re.Pattern[str]:
    # No phrase can make the search slow: each is literal, but for `\w*` at its very end.
    return re.compile(r"(?<!\w)(?:" + "|".join(_phrase(phrase) for phrase in phrases) + r")(?!\w)")


def _phrase(phrase: str) -> str:
    words = readable(phrase.rstrip("*")).split()
    literal = r"\s+".join(re.escape(word) for word in words)
    return literal + r"\w*" if phrase.endswith("*") else literal
