"""Web forms: what a visitor filled in on a website, sent on by the site's own backend.

Our own format (docs/channels/form.md), signed with Standard Webhooks. What a visitor types is
nobody's word but the visitor's: one address becomes the contact point, so that nobody is linked
to anybody by typing two.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.ingest.adapters.building import Builder, each, from_iso, json_object
from services.ingest.adapters.contract import Adapter, Broken, Parsed
from services.ingest.adapters.payloads.forms import URLENCODED, read_form
from services.ingest.adapters.payloads.own_formats import (
    fields_of,
    form_fields,
    language,
    usable_point,
)
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.adapters.schemes.standard_webhooks import STANDARD_WEBHOOKS, own_id
from services.ingest.domain.json_fields import string_at
from services.ingest.domain.text import clean, short
from shared.contact_points import contact_point
from shared.events import Event
from shared.events.contact import FormSubmitted
from shared.ids import KeyedIds

CHANNEL = "form"
ABOUT = ("form", "id", "submitted_at", "locale")
"""What is said of a submission beside its fields; in a urlencoded one `_form`, `_id` and so on."""
EMAIL_FIELDS, PHONE_FIELDS, NAME_FIELDS = "email_fields", "phone_fields", "name_fields"
USUAL = {EMAIL_FIELDS: "email", PHONE_FIELDS: "phone", NAME_FIELDS: "name"}
"""The options that name the fields with addresses and names (commas between), and their default."""


class Form(Adapter):
    """The forms of one website; the site's own clock counts."""

    provider = "form"
    scheme = STANDARD_WEBHOOKS
    media_types = frozenset({"application/json", URLENCODED})
    optional = frozenset({"form", *USUAL})

    def parse(
        self,
        request: RawRequest,
        account: ChannelAccount,
        received_at: datetime,
        ids: KeyedIds,
    ) -> Parsed:
        """Translate one submission."""
        builder = Builder(account, received_at, ids, vouched=True)
        events, broken = each(
            [request], lambda given: [_submitted(builder, given)], lambda given: given.body
        )
        return Parsed(tuple(events), tuple(broken))


@dataclass(frozen=True, slots=True)
class _Submission:
    about: Mapping[str, str | None]
    fields: list[dict[str, str]]

    def answers(self, names: str) -> Iterable[str]:
        """Yield the answers of the fields so named, in the order of the names."""
        for name in names.split(","):
            for field in self.fields:
                if field["name"].lower() == name.strip().lower() and field["value"].strip():
                    yield field["value"].strip()


def _submitted(builder: Builder, request: RawRequest) -> Event:
    submission = _read(request)
    account, about = builder.account, submission.about
    submission_id = about["id"] or own_id(request) or _digest(request.body)
    form = about["form"] or account.options.get("form")
    if form is None:
        raise Broken("form: missing")
    names = {option: account.options.get(option, usual) for option, usual in USUAL.items()}
    point = _address(submission, names) or contact_point("form", f"{account.name}/{submission_id}")
    return builder.event(
        FormSubmitted,
        submission_id,
        conversation=("submission", submission_id),
        channel=CHANNEL,
        occurred_at=from_iso(about["submitted_at"]),
        contact_points=(point,),
        display_name=short(next(iter(submission.answers(names[NAME_FIELDS])), None)),
        locale=language(about["locale"]),
        form=form,
        fields=submission.fields,
    )


def _address(submission: _Submission, names: Mapping[str, str]) -> str | None:
    for scheme, option in (("email", EMAIL_FIELDS), ("tel", PHONE_FIELDS)):
        for answer in submission.answers(names[option]):
            if point := usable_point(scheme, answer):
                return point
    return None


def _read(request: RawRequest) -> _Submission:
    if request.media_type() == URLENCODED and not request.body.startswith(b"{"):
        form = read_form(request)
        about = {name: form.text(f"_{name}") for name in ABOUT}
        named = {f"_{name}" for name in ABOUT}
        parts = [part for part in form.parts if part.name not in named]
        return _Submission(about, fields_of((part.name, part.text()) for part in parts))
    body = json_object(request.body)
    return _Submission(_about(body), form_fields(body.get("fields")))


def _about(body: dict[str, Any]) -> dict[str, str | None]:
    found = {name: string_at(body, name) for name in ABOUT}
    return {name: clean(value) if value else None for name, value in found.items()}


def _digest(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=16).hexdigest()
