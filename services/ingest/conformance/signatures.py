"""Checks of authenticity: only what the provider signed, with a live secret, in time, once."""

import asyncio

from services.ingest.accounts import Door
from services.ingest.adapters.request import RawRequest, SignatureRefused
from services.ingest.conformance.attacks import altered, cases
from services.ingest.conformance.memory import Memory
from services.ingest.conformance.report import Check
from services.ingest.conformance.subject import Absent, Subject, require, with_body


def _signature(subject: Subject) -> str:
    if not subject.proves:
        return f"trusted by {getattr(subject.adapter.scheme, 'by', 'its transport')}"
    wrong: list[str] = []
    count = 0
    for case in cases(subject, subject.plain()):
        count += 1
        if subject.accepts(case.request) != case.authentic:
            wrong.append(f"{case.name}: {'refused' if case.authentic else 'accepted'}")
    require(not wrong, "; ".join(wrong))
    return f"{count} cases"


def _own_secrets_only(subject: Subject) -> str:
    if not subject.proves:
        raise Absent("nothing is signed")
    named = subject.adapter.secrets
    missing = sorted(named - set(subject.account.secrets))
    require(not missing, f"account.json gives no secret {', '.join(missing)}")
    shown = repr(subject.account)
    for values in subject.account.secrets.values():
        require(
            all(value.decode("latin-1") not in shown for value in values), "a repr shows a secret"
        )
    return ""


def _once(subject: Subject) -> str:
    scheme = subject.adapter.scheme
    if not subject.proves or scheme.covers_body:
        raise Absent("the proof covers the body")
    good = subject.sign(subject.plain())
    if subject.adapter.once(good) is None:
        raise Absent("a shared secret, which proves the sender only")
    other = with_body(good, altered(good))
    if not subject.accepts(other):
        return "another body breaks the proof"
    require(
        asyncio.run(_taken(subject, good, other)) == [True, True, False],
        "a proof is taken with another body, or refused with its own",
    )
    return ""


async def _taken(subject: Subject, good: RawRequest, other: RawRequest) -> list[bool]:
    """Return which are taken: a request, its repetition, and its proof with another body."""
    memory, door = Memory(subject.now), Door(subject.adapter, subject.account)
    intake = memory.intake(subject)
    taken = []
    for request in (good, good, other):
        try:
            await intake.accept(door, request)
            taken.append(True)
        except SignatureRefused:
            taken.append(False)
    return taken


CHECKS = (
    Check("signature", "only what the provider signed is accepted", _signature, mandatory=True),
    Check("secrets", "every secret is named, none is shown", _own_secrets_only),
    Check("replay", "a proof without its body is taken with one body only", _once),
)
