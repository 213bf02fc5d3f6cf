"""Taking a reply in: everything that can be refused is refused now, while somebody is listening."""

import unicodedata
from collections.abc import Callable
from dataclasses import replace

import nh3
from pydantic import ValidationError

from services.ingest.accounts import Door, Doors
from services.ingest.domain import limits
from services.ingest.domain.channels import ApiKeyPolicy
from services.ingest.domain.conversations import Conversation
from services.ingest.domain.html_text import text_of_html
from services.ingest.domain.mail_thread import message_token
from services.ingest.domain.plus_address import plus_token
from services.ingest.domain.text import clean
from services.ingest.replies.body import ReplyBody, check_content, fingerprint
from services.ingest.replies.events import event_of
from services.ingest.replies.rules import check
from services.ingest.replies.store import Documents, ReplyStore, reply_document
from services.ingest.senders.contract import File, NotSendable, Reply, Sender
from services.ingest.store import CONVERSATIONS, Document, conversation_from
from shared.clock import Clock
from shared.http import ApiError
from shared.ids import KeyedIds, derived_id
from shared.streams.crash import crash_point

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"})  # controls, formats, blanks of all kinds


class Replies:
    """Finds conversations and takes replies in; `wake` is called when there is one to send."""

    def __init__(
        self,
        documents: Documents,
        doors: Doors,
        clock: Clock,
        ids: KeyedIds,
        wake: Callable[[], None],
    ) -> None:
        self._documents, self._doors = documents, doors
        self._clock, self._ids, self._wake = clock, ids, wake
        self._store = ReplyStore(documents)

    async def conversation(self, conversation_id: str, key: ApiKeyPolicy) -> Conversation:
        """Return a conversation the key may see; to all others it does not exist."""
        document = await self._documents.find_one(CONVERSATIONS, {"_id": {"$eq": conversation_id}})
        known = conversation_from(document) if document else None
        if known is None or not known.provider or not _may_see(key, known):
            raise ApiError(
                404,
                "unknown-conversation",
                "There is no such conversation.",
                "Check the id; a conversation is known a moment after its first event.",
            )
        return known

    async def reply(self, conversation_id: str, reply_id: str, key: ApiKeyPolicy) -> Document:
        """Return a reply of a conversation the key may see."""
        await self.conversation(conversation_id, key)
        document = await self._store.get(reply_id)
        if document is None or document["conversation_id"] != conversation_id:
            raise ApiError(404, "unknown-reply", "There is no such reply.", "Check the id.")
        return document

    async def take(
        self, conversation_id: str, body: ReplyBody, idempotency_key: str, key: ApiKeyPolicy
    ) -> Document:
        """Keep a reply to be sent and return it; refuse with `ApiError` what cannot be sent."""
        known = await self.conversation(conversation_id, key)
        reply_id = derived_id("reply", key.integrator, idempotency_key)
        check_content(body)
        written = fingerprint(conversation_id, body)
        if earlier := await self._store.get(reply_id):
            return _same(earlier, written)
        door = self._door(known)
        reply = self._reply(reply_id, known, body)
        document = reply_document(
            reply,
            provider=known.provider,
            account=known.account,
            channel=known.channel,
            fingerprint=written,
        )
        self._check(reply, known, door)
        _check_told(document)
        await self._check_rate(reply, door)
        if not await self._store.add(document):  # the same request, twice at once
            return _same(await self._store.get(reply_id) or document, written)
        crash_point("reply-stored")
        self._wake()
        return document

    def sender_of(self, known: Conversation) -> Sender | None:
        """Return the way out of a conversation's channel account, or None."""
        door = self._doors.get((known.provider, known.account))
        return door.sender if door else None

    def _door(self, known: Conversation) -> Door:
        door = self._doors.get((known.provider, known.account))
        if door is None or door.sender is None:
            raise ApiError(
                409,
                "channel-receives-only",
                f"Nothing can be sent through {known.provider}/{known.account}.",
                "Answer on another channel, or add what its sender needs to channels.yaml.",
            )
        return door

    def _reply(self, reply_id: str, known: Conversation, body: ReplyBody) -> Reply:
        files = tuple(File(file.reference, file.media_type, file.name) for file in body.attachments)
        return Reply(
            reply_id=reply_id,
            conversation_id=known.conversation_id,
            contact_points=known.contact_points,
            sender=body.sender,
            text=_seen(clean(body.text), "text") if body.text else "",
            created_at=self._clock.now(),
            reply_to=known.reply_to.value if known.reply_to else None,
            html=_seen(_safe(body.html), "html") if body.html else None,
            files=files,
            subject=known.subject.value if known.subject else None,
            in_reply_to=body.in_reply_to,
            thread=known.message_ids,
            case_reference=known.case_reference.value if known.case_reference else None,
            agent_id=body.agent_id,
            template=body.template,
            template_parameters=tuple(map(clean, body.template_parameters)),
            language=body.language,
            plus_token=plus_token(self._ids, known.conversation_id),
            message_token=message_token(known.conversation_id, known.contact_points[0], self._ids),
        )

    def _check(self, reply: Reply, known: Conversation, door: Door) -> None:
        assert door.sender is not None
        check(known, reply, door.sender, self._clock.now())
        with_bytes = tuple(replace(file, content=b"") for file in reply.files)
        try:
            door.sender.compose(replace(reply, files=with_bytes), door.account)
        except NotSendable as error:
            why = str(error).removesuffix(".")
            raise ApiError(
                422, "not-sendable", f"This cannot be sent here: {why}.", "Change it."
            ) from None

    async def _check_rate(self, reply: Reply, door: Door) -> None:
        slots = door.sender.automatic_per_hour if door.sender else None
        if slots is None or reply.sender == "agent":
            return
        recipient = self._ids.seal("automatic", door.account.provider, reply.contact_points[0])
        if not await self._store.take_slot(recipient, slots, self._clock.now()):
            raise ApiError(
                429,
                "too-many-automatic-replies",
                f"This customer had {slots} automatic replies within an hour.",
                "Let a person answer, or send it later.",
                {"Retry-After": "3600"},
            )


def _may_see(key: ApiKeyPolicy, known: Conversation) -> bool:
    return {"*", f"{known.provider}/{known.account}"} & set(key.channel_accounts) != set()


def _same(earlier: Document, written: str) -> Document:
    if earlier["fingerprint"] != written:
        raise ApiError(
            409,
            "idempotency-key-reused",
            "This Idempotency-Key came with another request before.",
            "Use a new key for every reply, and the same one only to repeat a request.",
        )
    return earlier


def _safe(html: str) -> str:
    """Return HTML without anything that runs, or that a reader's program would fetch.

    What is left may be longer than what came: `&` is written `&amp;`, a link says `rel`.
    """
    if html.count("<") > limits.REPLY_TAGS:
        raise ApiError(422, "html-too-complex", "The HTML has too many tags.", "Send less.")
    safe = nh3.clean(
        clean(html), tags=nh3.ALLOWED_TAGS - {"img"}, url_schemes={"https", "mailto", "tel"}
    )
    if len(safe) > limits.TEXT:
        raise ApiError(
            422,
            "html-too-long",
            f"Made safe, the HTML has {len(safe)} characters; it may have {limits.TEXT}.",
            "Send less.",
        )
    return safe


def _seen(written: str, what: str) -> str:
    """Return what a customer would see something of; refuse what is empty once it is clean."""
    text = text_of_html(written) if what == "html" else written
    if all(unicodedata.category(character) in _UNSEEN for character in text):
        raise ApiError(422, f"{what}-empty", f"The {what} shows nothing.", "Write something.")
    return written


def _check_told(document: Document) -> None:
    """Refuse a reply whose outcome could not be told, before it goes where nobody calls it back."""
    ended = {"settled_at": document["created_at"], "message_id": document["_id"]}
    try:
        for state in ("sent", "failed"):
            event_of({**document, **ended, "state": state})
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise ApiError(
            422, "not-sendable", f"This cannot be told as an event: {where}.", "Change it."
        ) from None
