"""Checks of privacy: a canary sings in no log, no metric and not on a dead letter's outside."""

import asyncio
import contextlib
import io
import logging
from collections.abc import Sequence

import structlog

from services.ingest.accounts import Door
from services.ingest.adapters.request import RawRequest, SignatureRefused
from services.ingest.conformance.bodies import with_text
from services.ingest.conformance.memory import Memory
from services.ingest.conformance.report import Check
from services.ingest.conformance.subject import Subject, data_of, require, with_body
from services.ingest.conformance.texts import words
from services.ingest.handlers import Intake
from services.ingest.metrics import METRICS
from shared.events.dead_letters import DeadLettered
from shared.observability.metrics import Metrics

_CANARY = "kanarcek-4711 kanarcek@example.com +38640120000"
_SHORTEST = 5  # characters; shorter ones are found in any text


class _Listener(logging.Handler):
    """Keeps every word of every log record, arguments and tracebacks too."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.getMessage()} {record.args!r} {record.exc_info!r}")


def _privacy(subject: Subject) -> str:
    requests, canaries = _requests(subject), _canaries(subject)
    kept = Memory(subject.now)
    meter = Metrics(METRICS)
    intake = kept.intake(subject, meter)
    said = _listen(intake, Door(subject.adapter, subject.account), requests)
    letters = [event for event in kept.events if isinstance(event, DeadLettered)]
    outside = "\n".join(_outside(subject, letter) for letter in letters)
    places = {"a log": said, "a metric": meter.render().decode(), "a dead letter's head": outside}
    for place, text in places.items():
        for canary in canaries:
            require(canary not in text, f"something of a customer is in {place}")
        for secret in _secrets(subject):
            require(secret not in text, f"a secret is in {place}")
    return f"{len(requests)} requests, {len(letters)} dead letters"


def _listen(intake: Intake, door: Door, requests: Sequence[RawRequest]) -> str:
    """Return everything that is logged or printed while the requests are taken."""
    listener, printed = _Listener(), io.StringIO()
    logging.root.addHandler(listener)
    try:
        with (
            contextlib.redirect_stderr(printed),
            contextlib.redirect_stdout(printed),
            structlog.testing.capture_logs() as structured,
        ):
            asyncio.run(_take(intake, door, requests))
    finally:
        logging.root.removeHandler(listener)
    return "\n".join([printed.getvalue(), *listener.lines, *map(repr, structured)])


async def _take(intake: Intake, door: Door, requests: Sequence[RawRequest]) -> None:
    for request in requests:
        with contextlib.suppress(SignatureRefused):
            await intake.accept(door, request)


def _requests(subject: Subject) -> list[RawRequest]:
    """Return every payload signed, the plain one with a canary, broken, and not signed at all."""
    payloads = [subject.request(name) for name in subject.folder.names()]
    plain = subject.plain()
    broken = with_body(plain, plain.body[: len(plain.body) * 2 // 3])
    given = [*payloads, _with_canary(subject, plain), broken, with_body(plain, b"")]
    return [*(_signed(subject, request) for request in given), plain]


def _signed(subject: Subject, request: RawRequest) -> RawRequest:
    try:
        return subject.sign(request)
    except Exception:  # a proof that stands in the body cannot be put on half a body
        return request


def _with_canary(subject: Subject, plain: RawRequest) -> RawRequest:
    for event in subject.understood(plain).events:
        for said in filter(None, words(event).splitlines()):
            if len(said) > 3 and (sung := with_text(plain, said, _CANARY)):
                return sung
    return plain


def _canaries(subject: Subject) -> set[str]:
    """Return the names and addresses of every customer in the folder, and the canary's own."""
    found = set(_CANARY.split())
    for name in subject.folder.names():
        with contextlib.suppress(Exception):
            for event in subject.parse(subject.request(name)).events:
                points = getattr(data_of(event), "contact_points", ())
                found.update(point.partition(":")[2] for point in points)
                found.add(getattr(data_of(event), "display_name", None) or "")
    return {canary for canary in found if len(canary) >= _SHORTEST}


def _outside(subject: Subject, letter: DeadLettered) -> str:
    """Return what of a dead letter is seen without opening it: its attributes and its headers.

    A mail's envelope is kept as headers, since the mail could not be translated again without.
    """
    seen = [letter.id, letter.source, letter.subject or "", letter.partitionkey, letter.data.error]
    if subject.adapter.transport == "hook":
        seen += [(header.value or b"").decode("latin-1") for header in letter.data.headers]
    return "\n".join(seen)


def _secrets(subject: Subject) -> set[str]:
    """Return the secrets, and the proof itself where it is nothing but one in another form."""
    found = {each for values in subject.account.secrets.values() for each in values}
    scheme = subject.adapter.scheme
    if scheme.header and not scheme.covers_body and subject.adapter.once(_proved(subject)) is None:
        found.update(_proved(subject).all(scheme.header))
    return {each.decode("latin-1") for each in found if len(each) >= _SHORTEST}


def _proved(subject: Subject) -> RawRequest:
    return subject.sign(subject.plain())


CHECKS = (Check("privacy", "customers and secrets are in no log, metric or head", _privacy, True),)
