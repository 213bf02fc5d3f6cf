"""The one door to MongoDB: the only module that imports Motor.

Every write waits for a majority and its journal, every read outside a transaction sees only what
a majority has: what was read or acknowledged survives a failover.
"""

import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import UTC
from typing import Any

from bson.codec_options import CodecOptions
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from shared.errors import SettingsError, Unavailable
from shared.mongo.collections import Collection, Index

Document = dict[str, Any]

_SELECTION_TIMEOUT_MS = 15_000  # an election takes up to 12 s; then the caller gets an error
_HEARTBEAT_MS = 1_000  # how soon a new primary is noticed when the stream of heartbeats breaks
_POOL = 20  # one session for the stream layer, the rest for the HTTP side
_BLOBS = "blobs"
_PIECE = 4 * 1024 * 1024  # bytes; a document takes 16 MiB
_COMMAND_TIMEOUT_MS = 5_000  # a read by id takes milliseconds
_NO_MAJORITY_HELP = (
    "MongoDB's default write concern is not a majority.",
    "Use a replica set of data-bearing members, without an arbiter, or setDefaultRWConcern.",
)


class Database:
    """One service's database. Building it connects to nothing; the first command does."""

    def __init__(self, uri: str, name: str) -> None:
        try:
            self.client: Any = AsyncIOMotorClient(
                uri,
                tz_aware=True,
                tzinfo=UTC,
                serverSelectionTimeoutMS=_SELECTION_TIMEOUT_MS,
                heartbeatFrequencyMS=_HEARTBEAT_MS,
                maxPoolSize=_POOL,
                appname=name,
            )
        except (PyMongoError, ValueError, TypeError) as error:
            raise SettingsError(
                f"THROUGHLINE_MONGODB is not a MongoDB address ({type(error).__name__}).",
                "Write it as mongodb://host:port/?replicaSet=rs0.",
            ) from None
        self.raw: Any = self.client.get_database(
            name,
            codec_options=CodecOptions(tz_aware=True, tzinfo=UTC),
            read_concern=ReadConcern("majority"),
            write_concern=WriteConcern("majority", j=True),
        )
        self.name = name

    async def ping(self) -> None:
        """Return when a majority-readable primary answers; raise `Unavailable` if none does."""
        try:
            await self.client.admin.command("ping", maxTimeMS=1_000)
        except PyMongoError as error:
            raise Unavailable(
                f"MongoDB does not answer ({type(error).__name__}).", "Check THROUGHLINE_MONGODB."
            ) from None

    async def ensure(self, collections: Sequence[Collection]) -> None:
        """Create the collections and indexes that are missing; change nothing that is there.

        Collections are made before any load, because a transaction waits for definitions.
        """
        await self._require_majority()
        present = set(await self.raw.list_collection_names())
        for collection in collections:
            if collection.name not in present:
                await self._create(collection.name)
            for index in collection.indexes:
                await self._create_index(collection.name, index)

    async def _create(self, name: str) -> None:
        try:
            await self.raw.create_collection(name)
        except PyMongoError as error:
            if getattr(error, "code", None) != 48:  # NamespaceExists: another process was faster
                raise

    async def _create_index(self, collection: str, index: Index) -> None:
        options: Document = {"unique": index.unique}
        if index.where is not None:
            options["partialFilterExpression"] = dict(index.where)
        if index.expire_after is not None:
            options["expireAfterSeconds"] = int(index.expire_after.total_seconds())
        await self.raw[collection].create_index(list(index.keys), **options)

    async def _require_majority(self) -> None:
        concern = await self.client.admin.command("getDefaultRWConcern")
        if concern.get("defaultWriteConcern", {"w": "majority"}).get("w") != "majority":
            raise SettingsError(*_NO_MAJORITY_HELP)

    # -- reads and small writes of the HTTP side: whatever goes wrong is `Unavailable` ------------

    async def find_one(self, collection: str, where: Mapping[str, Any]) -> Document | None:
        """Return one document that matches, or None."""
        with _translated():
            found: Document | None = await self.raw[collection].find_one(
                dict(where), max_time_ms=_COMMAND_TIMEOUT_MS
            )
        return found

    async def find(
        self,
        collection: str,
        where: Mapping[str, Any],
        sort: Sequence[tuple[str, int]] = (),
        limit: int = 0,
    ) -> list[Document]:
        """Return the documents that match, in order; `limit` 0 means all."""
        cursor = self.raw[collection].find(
            dict(where), max_time_ms=_COMMAND_TIMEOUT_MS, limit=limit
        )
        if sort:
            cursor = cursor.sort(list(sort))
        with _translated():
            found: list[Document] = await cursor.to_list(None)
        return found

    async def count(self, collection: str, where: Mapping[str, Any]) -> int:
        """Return how many documents match."""
        with _translated():
            number: int = await self.raw[collection].count_documents(
                dict(where), maxTimeMS=_COMMAND_TIMEOUT_MS
            )
        return number

    async def insert(self, collection: str, document: Document) -> bool:
        """Add a document; return False if one with its `_id` was there already."""
        with _translated():
            try:
                await self.raw[collection].insert_one(document)
            except DuplicateKeyError:
                return False
        return True

    async def change_one(
        self,
        collection: str,
        where: Mapping[str, Any],
        update: Mapping[str, Any],
        sort: Sequence[tuple[str, int]] = (),
        *,
        create: bool = False,
    ) -> Document | None:
        """Change the first document that matches, atomically; return it as it is then.

        None when none matches, or when a unique index does not allow the change: with either,
        one of several that try at once is told yes. With `create` a document is made where none
        matches, unless its `_id` is there already, which is None as well.
        """
        with _translated():
            try:
                changed: Document | None = await self.raw[collection].find_one_and_update(
                    dict(where),
                    dict(update),
                    sort=list(sort) or None,
                    upsert=create,
                    return_document=ReturnDocument.AFTER,
                    maxTimeMS=_COMMAND_TIMEOUT_MS,
                )
            except DuplicateKeyError:
                return None
        return changed

    async def remove(self, collection: str, where: Mapping[str, Any]) -> int:
        """Remove the documents that match; return how many they were."""
        with _translated():
            answer = await self.raw[collection].delete_many(dict(where))
        return int(answer.deleted_count)

    async def size(self, collection: str) -> tuple[int, int]:
        """Return how many documents a collection holds and their bytes, without reading them."""
        held = self.raw.get_collection(collection, read_concern=ReadConcern("local"))
        with _translated():
            found = await held.aggregate([{"$collStats": {"storageStats": {}}}]).to_list(1)
        storage = found[0]["storageStats"] if found else {}
        return int(storage.get("count", 0)), int(storage.get("size", 0))

    async def put_blob(self, blob_id: str, data: bytes) -> None:
        """Keep bytes of any size under an id; keeping them again changes nothing.

        Pieces first, the entry that names them last: a blob that can be found is whole, and one
        that was broken off is simply written again (GridFS would refuse its own leftovers).
        """
        blobs = self.raw[_BLOBS]
        pieces = [data[at : at + _PIECE] for at in range(0, len(data), _PIECE)]
        with _translated():
            if await blobs.find_one({"_id": blob_id}, {"_id": 1}):
                return
            for number, piece in enumerate(pieces):
                piece_id = f"{blob_id}/{number}"
                await blobs.replace_one({"_id": piece_id}, {"data": piece}, upsert=True)
            entry = {"size": len(data), "pieces": len(pieces)}
            await blobs.replace_one({"_id": blob_id}, entry, upsert=True)

    async def get_blob(self, blob_id: str) -> bytes | None:
        """Return the bytes kept under an id, or None."""
        blobs = self.raw[_BLOBS]
        with _translated():
            entry = await blobs.find_one({"_id": blob_id})
            if entry is None:
                return None
            ids = [f"{blob_id}/{number}" for number in range(entry["pieces"])]
            found = await blobs.find({"_id": {"$in": ids}}).to_list(None)
        by_id = {piece["_id"]: piece["data"] for piece in found}
        return b"".join(by_id[piece_id] for piece_id in ids)

    async def watch(
        self,
        collection: str,
        opened: Callable[[], None] = lambda: None,
        looked: Callable[[], None] = lambda: None,
    ) -> AsyncIterator[Document]:
        """Yield each document as it is inserted, from now on (majority-committed, in order).

        Calls `opened` once nothing can be missed any more: whoever reads then what was inserted
        before, and takes what is yielded, has everything. Calls `looked` whenever MongoDB has
        answered, which it does once a second while there is nothing to yield. Raises `Unavailable`
        when the stream breaks; watch again and read what was missed.
        """
        try:
            async with self.raw[collection].watch(
                [{"$match": {"operationType": "insert"}}]
            ) as stream:
                change = await stream.try_next()  # Motor opens it only now
                opened()
                while change is not None or stream.alive:
                    looked()
                    if change is not None:
                        yield change["fullDocument"]
                    change = await stream.try_next()
        except PyMongoError as error:
            raise Unavailable(
                f"The change stream broke ({type(error).__name__}).", "Watch again."
            ) from None

    def close(self) -> None:
        """Close every connection."""
        self.client.close()


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except PyMongoError as error:
        raise Unavailable(
            f"MongoDB does not answer ({type(error).__name__}).", "Try again."
        ) from error


logging.getLogger("pymongo").setLevel(logging.WARNING)  # its debug lines would hold documents
