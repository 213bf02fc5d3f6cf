"""Checks of authenticity: only what the provider signed, with a live secret, in time, once."""

from services.ingest.conformance.attacks import altered, cases
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
    named = subject.adapter.once(good)
    if named is None:
        raise Absent("a shared secret, which proves the sender only")
    other = with_body(good, altered(good))
    if subject.accepts(other):
        require(subject.adapter.once(other) == named, "another body counts as another request")
    require(subject.adapter.once(subject.sign(subject.plain())) is not None, "named only sometimes")
    return ""


CHECKS = (
    Check("signature", "only what the provider signed is accepted", _signature, mandatory=True),
    Check("secrets", "every secret is named, none is shown", _own_secrets_only),
    Check("replay", "a proof without its body is taken with one body only", _once),
)
