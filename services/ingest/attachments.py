"""Files of a conversation, got only when somebody asks: from our blobs or through the guard."""

from typing import Protocol
from urllib.parse import quote

from services.ingest.accounts import Door, Doors
from services.ingest.domain import limits
from services.ingest.domain.addresses import AddressRefused
from services.ingest.domain.conversations import Conversation
from services.ingest.outgoing import FetchFailed, Guard, fetch
from services.ingest.readers import Unreadable
from services.ingest.replies.sending import placed
from services.ingest.senders.contract import API_URL
from shared.http import ApiError
from shared.ids import KeyedIds

_BLOB = "blob:"


class Blobs(Protocol):
    """Gives bytes by id; `shared.mongo.Database` is one."""

    async def get_blob(self, blob_id: str) -> bytes | None:
        """Return the bytes kept under an id, or None."""
        ...


class Parts(Protocol):
    """Takes mails apart; `readers.IsolatedReader` is one."""

    async def part(self, raw: bytes, number: int) -> bytes | None:
        """Return the decoded bytes of a part of a mail, or None; raise `Unreadable`."""
        ...


class Attachments:
    """Gets files by reference."""

    def __init__(
        self, blobs: Blobs, doors: Doors, guard: Guard, ids: KeyedIds, parts: Parts
    ) -> None:
        self._blobs, self._doors, self._guard = blobs, doors, guard
        self._ids, self._parts = ids, parts

    async def of(self, known: Conversation, reference: str) -> tuple[str, bytes]:
        """Return name (quoted for a header) and bytes of a file that came in this conversation.

        Only references its own events told: nobody can make us fetch what he likes.
        """
        file = next((file for file in known.files if file.reference == reference), None)
        door = self._doors.get((known.provider, known.account))
        if file is None or (door is None and not reference.startswith(_BLOB)):
            raise ApiError(
                404, "unknown-attachment", "This conversation has no such file.", "Check it."
            )
        if reference.startswith(_BLOB):
            content = await self._blob(reference, known.provider, known.account)
        else:
            assert door is not None
            content = await self._download(reference, door)
        return quote(file.name, safe=""), content

    async def get(self, reference: str, door: Door) -> tuple[str, bytes]:
        """Return media type and bytes of a file that goes out: a blob, or any https address."""
        if reference.startswith(_BLOB):
            place = door.account.provider, door.account.name
            return "application/octet-stream", await self._blob(reference, *place)
        return await fetch(self._guard, reference, limit=limits.REPLY_FILES_SIZE)

    async def _download(self, reference: str, door: Door) -> bytes:
        """Fetch from the provider, with our credentials where its sender says so."""
        made = door.sender.download(reference, door.account) if door.sender else None
        if made is None or door.sender is None:
            raise FetchFailed("this channel account has no way to fetch files")
        try:
            request, hosts = placed(made, door)
        except AddressRefused as error:
            raise FetchFailed(str(error)) from None
        _, content = await fetch(
            self._guard,
            request.url,
            hosts=hosts,
            headers=request.headers,
            api_url=door.account.options.get(API_URL),
        )
        return content

    async def _blob(self, reference: str, provider: str, account: str) -> bytes:
        """Return a blob of this channel account, or the part that `blob:<id>#<number>` names.

        An event that names a blob proves nothing: somebody else may have written the event.
        """
        blob_id, _, number = reference.removeprefix(_BLOB).partition("#")
        if not self._ids.is_blob_of(blob_id, provider, account):
            raise FetchFailed("it is no file of this channel account")
        content = await self._blobs.get_blob(blob_id)
        if content is None:
            raise FetchFailed("it is not kept any more")
        if not number:
            return content
        part = await self._part(content, number)
        if part is None:
            raise FetchFailed("its mail has no such part")
        return part

    async def _part(self, mail: bytes, number: str) -> bytes | None:
        if not (number.isascii() and number.isdigit()):
            return None
        try:
            return await self._parts.part(mail, int(number[:6]))
        except Unreadable as error:
            raise FetchFailed(str(error)) from None
