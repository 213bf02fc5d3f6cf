"""The frames that the chat sends to a widget (`docs/channels/webchat.md` lists them)."""

from typing import Any

from services.ingest.chat.store import Entry
from services.ingest.domain.chat import PROBLEMS

Frame = dict[str, Any]


def welcome(token: str | None, after: int, last: int) -> Frame:
    """Return the answer to `hello`: entries `after` this one follow, up to `last`.

    `token` is there when it was made just now.
    """
    return {
        "type": "welcome",
        "token": token,
        "resumed": last > 0,
        "after": after,
        "last": last,
    }


def acknowledgement(frame_id: str, entry: Entry | None) -> Frame:
    """Return that a frame is safe, and its number in the history (None: it made no entry)."""
    return {"type": "ack", "id": frame_id, "seq": entry.seq if entry else None}


def problem(code: str, frame_id: str | None) -> Frame:
    """Return what is wrong with a frame, and with which one if that is known."""
    found = {"type": "error", "code": code, "message": PROBLEMS[code]}
    return found | ({"id": frame_id} if frame_id else {})


def told(entry: Entry) -> Frame:
    """Return an entry of the history; an agent's name or id is not the visitor's to know."""
    files = [{"url": one.reference, "name": one.name or ""} for one in entry.files]
    return {
        "type": entry.kind,
        "seq": entry.seq,
        "id": entry.id,
        "from": entry.sender,
        "text": entry.text,
        "at": entry.at.isoformat(),
        "open": entry.open,
        **({"files": files} if files else {}),
    }
