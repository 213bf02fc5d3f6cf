"""`throughline conformance --url`: examining a running hook, or the events API, by its answers.

A hook gets rightly and wrongly signed requests; a payload that concerns no customer is taken for
them where the folder shows one. The events API is only asked `:validate`, unless told to send.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from deploy.adapters import PAYLOADS, WrongInput, account_of, find_adapter, require_options
from deploy.conformance_events import api_requests
from services.ingest.adapters.contract import Adapter
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.conformance.attacks import cases
from services.ingest.conformance.folder import ABOUT, Folder
from services.ingest.conformance.report import Report, Verdict, as_data, as_list
from services.ingest.conformance.subject import Failed, Subject

_SECONDS = 20.0  # a hook reads for up to 10 s, and Kafka may take some of its own
_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})
_QUIET = ("ignored", "typing", "challenge", "message")


@dataclass(frozen=True)
class Ask:
    """One request and the statuses that are right for it."""

    name: str
    request: RawRequest
    url: str
    right: tuple[int, ...]


@dataclass(frozen=True)
class _Given(Folder):
    """The payload folder, with the account of the command line in place of its own."""

    given: ChannelAccount | None = None

    def account(self) -> ChannelAccount:
        return self.given or super().account()


def examine_url(options: argparse.Namespace) -> int:
    """Send the requests, print which answers are right; status 0, or 1 if one is not."""
    url = allowed(options.url)
    if bool(options.api_key) == bool(options.provider) or options.adapter or options.all:
        raise WrongInput(
            "It is not clear what the URL is.", "Give --provider for a hook, or --api-key."
        )
    if options.api_key:
        asks = [Ask(*each) for each in api_requests(url, options.api_key, send=options.send)]
        name = "events API"
    else:
        asks, name = list(_hook_asks(options, url)), options.provider
    with httpx.Client(timeout=_SECONDS, trust_env=False, follow_redirects=False) as http:
        report = Report(name, tuple(_verdict(http, ask) for ask in asks))
    print(json.dumps(as_data([report]), indent=2) if options.json else as_list(report))
    return 0 if report.passed else 1


def allowed(url: str) -> str:
    """Return the URL if it is https or on this machine; secrets go to no other."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and host in _LOCAL)):
        raise WrongInput(
            "This URL is not examined.", "Use https, or http on 127.0.0.1 or localhost."
        )
    return url


def _hook_asks(options: argparse.Namespace, url: str) -> Iterator[Ask]:
    subject, request = _subject(options)
    for case in cases(subject, request):
        if case.wire:
            right = (200, 201, 202, 204) if case.authentic else (401, 403)
            yield Ask(case.name, case.request, url, right)
    good = subject.sign(request)
    foreign = replace(good, headers=(*_without_type(good), ("content-type", b"image/x-none")))
    yield Ask("another content type", foreign, url, (415,))
    large = replace(good, body=b" " * (subject.adapter.max_body + 1))
    yield Ask("a body too large", large, url, (413,))
    parts = urlsplit(url)
    nobody = parts._replace(path=f"{parts.path.rstrip('/')}-{'x' * 12}").geturl()
    yield Ask("a channel account that is not there", good, nobody, (404,))


def _subject(options: argparse.Namespace) -> tuple[Subject, RawRequest]:
    adapter = find_adapter(options.provider)
    account = account_of(adapter, "main", options.secret, options.option)
    require_options(adapter, account)
    place = Path(options.payloads) if options.payloads else PAYLOADS / adapter.provider
    subject = Subject(adapter, _Given(adapter.provider, place, account), now=datetime.now(UTC))
    return subject, _quiet_request(subject, adapter, place)


def _quiet_request(subject: Subject, adapter: Adapter, place: Path) -> RawRequest:
    """Return the payload that does least; without a folder, one that becomes a dead letter."""
    if not (place / ABOUT).is_file():
        return RawRequest(b"{}", (("content-type", sorted(adapter.media_types)[-1].encode()),))
    for what in _QUIET:
        if subject.folder.shown(what):
            return subject.payload(what)
    raise Failed("the folder shows no message")


def _without_type(request: RawRequest) -> Iterator[tuple[str, bytes]]:
    return (pair for pair in request.headers if pair[0] != "content-type")


def _verdict(http: httpx.Client, ask: Ask) -> Verdict:
    query = f"?{ask.request.query}" if ask.request.query else ""
    try:
        answer = http.post(
            ask.url + query,
            content=ask.request.body,
            headers=[(name.encode(), value) for name, value in ask.request.headers],
        )
    except httpx.LocalProtocolError:
        return Verdict(ask.name, "absent", "it cannot be written on a wire")
    except httpx.HTTPError as error:
        return Verdict(ask.name, "fail", f"no answer ({type(error).__name__})")
    status = answer.status_code
    expected = " or ".join(map(str, ask.right))
    if status in ask.right:
        return Verdict(ask.name, "pass", str(status))
    return Verdict(ask.name, "fail", f"answered {status}, not {expected}")
