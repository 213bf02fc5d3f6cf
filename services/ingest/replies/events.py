"""What everybody is told of a reply: `message.sent`, or a `delivery.changed` that says why not."""

from services.ingest.adapters.building import source_of
from services.ingest.domain.files import kind_of_file
from services.ingest.store import Document
from shared.events import Event
from shared.events.contact import DeliveryChanged, MessageSent
from shared.events.contact_data import DeliveryChangedData, MessageSentData
from shared.ids import provider_event_id


def event_of(reply: Document) -> Event:
    """Return the event that tells a settled reply's outcome; the same however often it is made.

    A message that was sent has the id that the provider's own echo of it would have. One that was
    not, or nobody knows, goes by our reply id: the provider never named it.
    """
    if reply["state"] == "sent":
        return _message_sent(reply)
    data = DeliveryChangedData.model_validate(
        {
            **_common(reply, f"{reply['_id']}/{reply['state']}"),
            "message_id": reply["_id"],
            "status": "failed",
            "reason": reply["reason"],
        }
    )
    return DeliveryChanged(**_envelope(reply, data.provider_event_id), data=data)


def _message_sent(reply: Document) -> Event:
    content = reply["content"]
    data = MessageSentData.model_validate(
        {
            **_common(reply, reply["message_id"]),
            "message_id": reply["message_id"],
            "kind": _kind(content),
            "subject": content["subject"],
            "text": content["text"] or None,
            "html": content["html"],
            "attachments": content["files"],
            "in_reply_to": content["in_reply_to"],
            "automatic": content["sender"] == "system",
            "sender": content["sender"],
            "agent_id": content["agent_id"],
            "reply_id": reply["_id"],
        }
    )
    return MessageSent(**_envelope(reply, reply["message_id"]), data=data)


def _kind(content: Document) -> str:
    """Return what was sent, as adapters say it: the first file's kind where there is no text."""
    if content["template"]:
        return "template"
    if content["text"] or not content["files"]:
        return "text"
    return kind_of_file(content["files"][0]["media_type"])


def _common(reply: Document, own_id: str) -> dict[str, object]:
    return {
        "channel": reply["channel"],
        "provider": reply["provider"],
        "channel_account": reply["account"],
        "conversation_id": reply["conversation_id"],
        "contact_points": (_recipient(reply["content"]),),
        "occurred_at": reply["settled_at"],
        "received_at": reply["settled_at"],
        "provider_event_id": own_id,
    }


def _recipient(content: Document) -> str:
    """Return whom the reply went to: the contact point of its address, else the one heard last.

    Never more than that one: contact points of one event are taken to be one person's, on our
    word, and all we know is where we sent it.
    """
    points: list[str] = content["contact_points"]
    address = content["reply_to"]
    named = (point for point in points if address in (point, point.partition(":")[2]))
    return next(named, points[0])


def _envelope(reply: Document, own_id: str) -> dict[str, object]:
    return {
        "id": provider_event_id(reply["provider"], reply["account"], own_id),
        "source": source_of(reply["provider"], reply["account"]),
        "time": reply["settled_at"],
        "partitionkey": reply["conversation_id"],
    }
