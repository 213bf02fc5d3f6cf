"""Taking a reply in: what could not be told afterwards, or shows nothing, is refused at once."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.ingest.domain import limits
from services.ingest.domain.channels import ApiKeyPolicy
from services.ingest.outgoing import FetchFailed, Guard, fetch
from services.ingest.replies.body import ReplyBody, fingerprint
from services.ingest.replies.store import reply_from
from services.ingest.replies.taking import Replies
from services.ingest.senders.registry import SENDERS
from services.ingest.store import CONVERSATIONS, REPLIES, conversation_document
from shared.http import ApiError
from tests.support.builders_ingest import NOW, StoppedClock
from tests.support.builders_outbox import (
    EMAIL,
    IDS,
    WHATSAPP,
    ReplyDocuments,
    conversation,
    doors,
    from_mail,
)
from tests.support.ways_out import Desk as Everywhere

DESK = ApiKeyPolicy(integrator="desk", prefix="desk", sha256="env:X", channel_accounts=("*",))
MAP = {"reference": "https://files.example.com/map.png", "media_type": "image/png"}
TEMPLATE = {"text": "Na poti je.", "template": "on_its_way"}


class Desk:
    """Agents of a company that has one conversation by mail."""

    def __init__(self) -> None:
        self.documents = ReplyDocuments()
        self.woken = 0

    async def sends(self, **body: Any) -> dict[str, Any]:
        known = conversation_document(conversation(from_mail(NOW)))
        await self.documents.insert(CONVERSATIONS, known)
        replies = Replies(
            self.documents, doors("http://127.0.0.1:1"), StoppedClock(), IDS, self._wake
        )
        given = ReplyBody.model_validate({"text": "Na poti je.", "sender": "agent", **body})
        return await replies.take(EMAIL, given, "key-1", DESK)

    async def is_refused(self, **body: Any) -> str:
        with pytest.raises(ApiError) as refused:
            await self.sends(**body)
        assert refused.value.status == 422
        assert self.documents.collections.get(REPLIES, {}) == {}
        assert self.woken == 0
        return refused.value.code

    def _wake(self) -> None:
        self.woken += 1


async def test_html_that_grows_beyond_what_an_event_holds_when_made_safe_is_refused() -> None:
    assert await Desk().is_refused(html="&" * 30_000) == "html-too-long"


async def test_html_that_just_fits_when_made_safe_is_taken() -> None:
    taken = await Desk().sends(html="&" * (limits.TEXT // len("&amp;")))
    assert taken["content"]["html"].startswith("&amp;&amp;")


async def test_what_no_event_could_tell_is_refused_before_it_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "TEXT", 2 * limits.TEXT)
    assert await Desk().is_refused(html="&" * 20_000) == "not-sendable"


@pytest.mark.parametrize("text", [" ", "\r\n\t", "\u200b", "\u00a0\u2028", "\u202e\ufeff", "\x00"])
async def test_a_text_that_shows_nothing_is_refused(text: str) -> None:
    assert await Desk().is_refused(text=text) == "text-empty"


@pytest.mark.parametrize("html", ["<script>alert(1)</script>", "<p> </p>", "<!-- -->", "&nbsp;"])
async def test_html_of_which_nothing_to_see_is_left_is_refused(html: str) -> None:
    assert await Desk().is_refused(html=html) == "html-empty"


@pytest.mark.parametrize("text", ["👋", "👨\u200d👩\u200d👧", " a ", "\u202bשלום"])
async def test_a_text_that_shows_something_is_taken_as_it_is(text: str) -> None:
    assert (await Desk().sends(text=text))["content"]["text"] == text


async def test_parameters_fill_a_template_and_nothing_else() -> None:
    with pytest.raises(ValidationError, match="need a template"):
        await Desk().sends(template_parameters=["Ana"])
    taken = await Everywhere().sends("whatsapp", **TEMPLATE, template_parameters=["Ana", "22 €"])
    assert reply_from(taken).template_parameters == ("Ana", "22 €")


async def test_other_parameters_are_another_reply() -> None:
    desk = Everywhere()
    await desk.sends("whatsapp", **TEMPLATE, template_parameters=["Ana"])
    for others in ([], ["Bo"], ["Ana", "Bo"]):
        with pytest.raises(ApiError) as refused:
            await desk.sends("whatsapp", **TEMPLATE, template_parameters=others)
        assert refused.value.code == "idempotency-key-reused"


async def test_a_reply_of_before_there_were_parameters_is_the_same_when_it_is_repeated() -> None:
    body = ReplyBody.model_validate({**TEMPLATE, "sender": "agent"})
    assert fingerprint(WHATSAPP, body) == (
        "bfcf9cf5becacbaaee77f10e879b4720cbb96b9a6abd4ed2f5a302429f05d4c6"
    )
    earlier = await Everywhere().sends("whatsapp", **TEMPLATE)
    del earlier["content"]["template_parameters"]
    assert reply_from(earlier).template_parameters == ()


@pytest.mark.parametrize("provider", sorted(SENDERS.keys() - {"whatsapp"}))
@pytest.mark.parametrize("is_open", [True, False])
async def test_a_template_is_refused_where_it_would_be_ignored(
    provider: str, is_open: bool
) -> None:
    desk = Everywhere(is_open=is_open)
    with pytest.raises(ApiError) as refused:
        await desk.sends(provider, **TEMPLATE)
    assert (refused.value.status, refused.value.code) == (422, "template-not-sendable")
    assert "Leave out template" in refused.value.fix
    assert REPLIES not in desk.documents.collections
    assert desk.woken == 0


async def test_a_template_that_was_taken_before_it_was_refused_can_be_asked_for_again() -> None:
    desk = Desk()
    earlier = await desk.sends()
    body = ReplyBody.model_validate({**TEMPLATE, "sender": "agent"})
    kept = {**earlier, "fingerprint": fingerprint(EMAIL, body)}
    desk.documents.collections[REPLIES][earlier["_id"]] = kept
    assert await desk.sends(**TEMPLATE) == kept


async def test_a_closed_service_window_is_open_to_a_template_only() -> None:
    desk = Everywhere(is_open=False)
    with pytest.raises(ApiError) as refused:
        await desk.sends("whatsapp", text="Na poti je.")
    assert refused.value.code == "outside-service-window"
    assert (await desk.sends("whatsapp", **TEMPLATE))["content"]["template"] == "on_its_way"


async def test_no_file_is_dropped_behind_a_template() -> None:
    desk = Everywhere()
    with pytest.raises(ApiError, match="not-sendable") as refused:
        await desk.sends("whatsapp", **TEMPLATE, attachments=[MAP])
    assert "without files" in refused.value.message
    assert REPLIES not in desk.documents.collections


@pytest.mark.parametrize(
    ("more", "before"),
    [
        ({}, "1abd5eb52a2eb31af4531f8b158528471828597b0f382da10d74901a6daf060f"),
        (
            {"attachments": [{**MAP, "name": "map.png"}]},
            "3b06635efa35c262ca6aac86eb0409408ba6193c640f1fbb8b8d2c8b520fd6d3",
        ),
    ],
)
def test_a_reply_of_when_each_had_a_text_is_the_same_when_it_is_repeated(
    more: dict[str, Any], before: str
) -> None:
    body = ReplyBody.model_validate({"text": "Na poti je.", "sender": "agent", **more})
    assert fingerprint(EMAIL, body) == before


async def test_the_same_file_with_and_without_a_text_are_two_replies() -> None:
    desk = Desk()
    taken = await desk.sends(text=None, attachments=[MAP])
    assert await desk.sends(text=None, attachments=[MAP]) == taken
    assert reply_from(taken).text == ""
    with pytest.raises(ApiError) as refused:
        await desk.sends(attachments=[MAP])
    assert refused.value.code == "idempotency-key-reused"


@pytest.mark.parametrize("provider", ["email", "telegram", "whatsapp", "webchat"])
@pytest.mark.parametrize(
    "reference",
    [
        "https://",
        "https:///map.png",
        "https://[::1/map.png",
        "https://[::1]/map.png",
        "https://[2001:db8::1]/map.png",
        "https://127.0.0.1/map.png",
        "https://10.0.0.1:8443/map.png",
        "https://2130706433/map.png",
        "https://0x7f.1/map.png",
        "https://localhost/map.png",
        "https://files.example.com:99999/map.png",
        "https://files.example.com/the map.png",
        "https://files.example.com\\@127.0.0.1/map.png",
    ],
)
async def test_a_file_that_nobody_could_fetch_is_refused(provider: str, reference: str) -> None:
    desk = Everywhere()
    with pytest.raises(ApiError) as refused:
        await desk.sends(provider, attachments=[{**MAP, "reference": reference}])
    assert (refused.value.status, refused.value.code) == (422, "attachment-unreachable")
    assert REPLIES not in desk.documents.collections


ODD = ("https://files.example.com:8443/map.png", "https://files.example.com/načrt.png")


@pytest.mark.parametrize("reference", ODD)
async def test_a_file_that_only_a_provider_could_fetch_is_refused_where_we_fetch(
    reference: str,
) -> None:
    file = {**MAP, "reference": reference}
    assert await Everywhere().sends("whatsapp", attachments=[file])
    with pytest.raises(ApiError, match="attachment-unreachable"):
        await Everywhere().sends("email", attachments=[file])


async def test_a_file_at_an_exception_of_the_operators_is_refused_too() -> None:
    """Those hold for calls that operators configure, not for addresses that come from outside."""
    with pytest.raises(FetchFailed):
        await fetch(Guard(["127.0.0.1:443"]), "https://127.0.0.1/map.png")
    with pytest.raises(ApiError, match="attachment-unreachable"):
        await Everywhere().sends("email", attachments=[{**MAP, "reference": "https://127.0.0.1/"}])
