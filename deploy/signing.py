"""`throughline verify` and `throughline sign`: is a request authentic, and making one that is."""

import argparse
import shlex
import sys
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit, urlunsplit

from deploy.adapters import (
    WrongInput,
    account_of,
    find_adapter,
    request_of,
    require_options,
)
from services.ingest.adapters.contract import Adapter
from services.ingest.adapters.request import ChannelAccount, RawRequest, SignatureRefused

WHY = {
    "missing": "the proof is missing, or a part of it",
    "doubled": "the proof is there more than once",
    "malformed": "the proof is not written as this provider writes it",
    "wrong": "the proof belongs to another secret, another body or another URL",
    "stale": "it was signed more than five minutes from now; give --at for a recorded request",
    "reused": "it came with another body before",
}


def verify(options: argparse.Namespace) -> int:
    """Print whether the body on stdin with its headers is authentic; status 0 or 1."""
    adapter, account, request, now = _given(options)
    try:
        adapter.verify(request, account, now)
    except SignatureRefused as refused:
        print(f"invalid: {refused.reason}: {WHY[refused.reason]}")
        return 1
    print("valid")
    return 0


def sign(options: argparse.Namespace) -> int:
    """Print the headers of a signed request, or the `curl` command that sends it; status 0."""
    adapter, account, request, now = _given(options)
    signed = adapter.scheme.sign(request, account, now)
    if options.curl:
        print(_curl(options, signed))
        return 0
    for name, value in signed.headers:
        print(f"{name}: {value.decode('utf-8', 'replace')}")
    if signed.body != request.body:  # the proof stands in the body
        print(flush=True)
        sys.stdout.buffer.write(signed.body)
        sys.stdout.buffer.flush()
    return 0


def _given(
    options: argparse.Namespace,
) -> tuple[Adapter, ChannelAccount, RawRequest, datetime]:
    adapter = find_adapter(options.provider)
    account = account_of(adapter, options.account, options.secret, options.option)
    url = urlsplit(options.url or "")
    if options.url and "public_url" in adapter.options and "public_url" not in account.options:
        public = urlunsplit((url.scheme, url.netloc, url.path, "", ""))
        account = replace(account, options={**account.options, "public_url": public})
    require_options(adapter, account)
    request = request_of(adapter, sys.stdin.buffer.read(), options.header, url.query)
    return adapter, account, request, _moment(options.at)


def _moment(written: str | None) -> datetime:
    if written is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise WrongInput("The time of --at is none.", "Write it as 2026-11-03T09:15:00Z.")
    return moment


def _curl(options: argparse.Namespace, signed: RawRequest) -> str:
    if not options.url:
        raise WrongInput("A curl command needs an address.", "Give --url.")
    url = urlsplit(options.url)
    target = urlunsplit((url.scheme, url.netloc, url.path, signed.query, ""))
    words = ["curl", "-i", target]
    for name, value in signed.headers:
        words += ["-H", f"{name}: {value.decode('utf-8', 'replace')}"]
    try:
        words += ["--data-binary", signed.body.decode("utf-8")]
    except UnicodeDecodeError:
        raise WrongInput(
            "The body is not text, so it cannot stand in a command.",
            "Leave --curl out, and give the file to curl with --data-binary @FILE.",
        ) from None
    return shlex.join(words)
