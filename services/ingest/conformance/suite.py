"""The suite: every check in the order of the report, and running them."""

from functools import partial

from services.ingest.conformance import (
    fuzz,
    identity,
    limits,
    privacy,
    repeats,
    shows,
    signatures,
    texts,
)
from services.ingest.conformance.report import Check, Report, Verdict
from services.ingest.conformance.subject import Absent, Failed, Subject

FUZZ = 10_000
"""Damaged requests for each adapter: at 0.1 to 3 ms each, seconds to half a minute."""


def checks(rounds: int = FUZZ) -> tuple[Check, ...]:
    """Return every check; `rounds` is how many damaged requests the last one makes."""
    return (
        *signatures.CHECKS,
        *repeats.CHECKS,
        *shows.CHECKS,
        *texts.CHECKS,
        *identity.CHECKS,
        *limits.CHECKS,
        *privacy.CHECKS,
        Check(
            "fuzz",
            f"{rounds} damaged bodies and headers: refused or put aside, none above "
            f"{limits.SLOW_SECONDS * 1000:.0f} ms",
            partial(fuzz.look, rounds=rounds),
            mandatory=True,
        ),
    )


def examine(subject: Subject, rounds: int = FUZZ) -> Report:
    """Return the verdicts of every check on one adapter."""
    verdicts = tuple(verdict(check, subject) for check in checks(rounds))
    return Report(subject.adapter.provider, verdicts)


def verdict(check: Check, subject: Subject) -> Verdict:
    """Return what one check finds; an error that nobody foresaw is a failure."""
    try:
        return Verdict(check.name, "pass", check.look(subject))
    except Absent as reason:
        return Verdict(check.name, "fail" if check.mandatory else "absent", str(reason))
    except Failed as reason:
        return Verdict(check.name, "fail", str(reason))
    except Exception as error:
        return Verdict(check.name, "fail", f"raised {type(error).__name__}")
