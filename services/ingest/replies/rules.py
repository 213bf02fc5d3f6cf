"""What may be sent to a conversation now, and how replies and conversations are shown."""

from datetime import datetime

from services.ingest.domain.addresses import AddressRefused, check_file
from services.ingest.domain.conversations import Conversation
from services.ingest.senders.contract import Reply, Sender
from services.ingest.store import Document
from shared.http import ApiError

_TEMPLATE = "template"


def check(known: Conversation, reply: Reply, sender: Sender, now: datetime) -> None:
    """Refuse with `ApiError` a reply that may not be sent to this conversation now."""
    _check_template(known, reply, sender)
    _check_window(known, reply, sender, now)
    _check_content(known, reply, sender)
    _check_loop(known, reply, sender)


def _check_template(known: Conversation, reply: Reply, sender: Sender) -> None:
    if reply.template and _TEMPLATE not in sender.allowed:
        raise ApiError(
            422,
            "template-not-sendable",
            f"No templates are sent through {known.provider}/{known.account}.",
            "Leave out template and its parameters: the text goes as it is.",
        )


def _check_window(known: Conversation, reply: Reply, sender: Sender, now: datetime) -> None:
    if not _is_closed(known, sender, now) or reply.template:
        return
    closes = known.window_closes_at
    was = f"was open until {closes.isoformat()}" if closes else "was never open"
    may = f"Send {' or '.join(sender.allowed)}" if sender.allowed else "Wait for the customer"
    raise ApiError(
        409,
        "outside-service-window",
        f"The service window of this conversation {was}.",
        f"{may}, or answer on another channel.",
    )


def _check_content(known: Conversation, reply: Reply, sender: Sender) -> None:
    if len(reply.text) > sender.longest:
        raise ApiError(
            422,
            "text-too-long",
            f"The text has {len(reply.text)} characters; here it may have {sender.longest}.",
            "Shorten it, or send it in parts.",
        )
    ours = {file.reference for file in known.files}
    for file in reply.files:
        if not file.reference.startswith("blob:"):
            _check_address(file.reference, sender)
        elif file.reference not in ours:
            raise ApiError(
                422,
                "unknown-attachment",
                "An attachment is no file of this conversation.",
                "Refer to a file of this conversation, or to an https address.",
            )


def _check_address(reference: str, sender: Sender) -> None:
    try:
        check_file(reference, by_us=sender.carries)
    except AddressRefused as refused:
        raise ApiError(
            422,
            "attachment-unreachable",
            f"An attachment cannot be fetched: {refused}.",
            "Refer to a file at an https address with a public host's full name.",
        ) from None


def _check_loop(known: Conversation, reply: Reply, sender: Sender) -> None:
    if (
        sender.automatic_per_hour is not None
        and reply.sender != "agent"
        and known.answers_a_machine
    ):
        raise ApiError(
            409,
            "would-answer-a-machine",
            "The last message was written by a machine; two machines would write for ever.",
            "Let a person answer.",
        )


def reply_view(reply: Document) -> dict[str, object]:
    """Return a reply as the API shows it."""
    state = reply["state"]
    return {
        "reply_id": reply["_id"],
        "conversation_id": reply["conversation_id"],
        "state": state,
        "reason": reply["reason"],
        "attempts": reply["attempts"],
        "message_id": reply["message_id"],
        "created_at": reply["created_at"].isoformat(),
        "settled_at": reply["settled_at"].isoformat() if reply["settled_at"] else None,
    }


def conversation_view(
    known: Conversation, sender: Sender | None, now: datetime
) -> dict[str, object]:
    """Return a conversation as the API shows it, and what may be sent to it now."""
    closes = known.window_closes_at
    return {
        "conversation_id": known.conversation_id,
        "provider": known.provider,
        "channel_account": known.account,
        "channel": known.channel,
        "contact_points": list(known.contact_points),
        "subject": known.subject.value if known.subject else None,
        "case_reference": known.case_reference.value if known.case_reference else None,
        "last_message_at": known.last_received.at.isoformat() if known.last_received else None,
        "window_closes_at": closes.isoformat() if closes else None,
        "can_reply": sender is not None,
        "allowed": _allowed_now(known, sender, now),
        "longest_text": sender.longest if sender else None,
    }


def _allowed_now(known: Conversation, sender: Sender | None, now: datetime) -> list[str]:
    if sender is None:
        return []
    return list(sender.allowed) if _is_closed(known, sender, now) else ["text", *sender.allowed]


def _is_closed(known: Conversation, sender: Sender, now: datetime) -> bool:
    closes = known.window_closes_at
    return sender.window and (closes is None or closes <= now)
