"""Messenger (Meta): messages to a Facebook page."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from services.ingest.adapters.building import Builder, json_object
from services.ingest.adapters.contract import Parsed, Unparseable
from services.ingest.adapters.payloads.json_parts import translated
from services.ingest.adapters.payloads.meta import MetaHook
from services.ingest.adapters.payloads.meta_messages import Item, translate
from services.ingest.adapters.request import ChannelAccount, RawRequest
from services.ingest.domain.json_fields import list_at, object_at, string_at
from shared.ids import KeyedIds


class Messenger(MetaHook):
    """A page's messages; Meta vouches for the times."""

    provider = "messenger"
    platform = "page"
    optional = frozenset({"page_id", "app_id"})

    def parse(
        self, request: RawRequest, account: ChannelAccount, received_at: datetime, ids: KeyedIds
    ) -> Parsed:
        """Translate one notification, which may hold many items."""
        payload = json_object(request.body, self.max_keys)
        if string_at(payload, "object") != self.platform:
            raise Unparseable(f"object: not {self.platform}")
        items = list(_items(self.platform, payload))
        if not items:
            raise Unparseable("entry: nothing in it")
        builder = Builder(account, received_at, ids, vouched=True)
        return translated(items, lambda item: translate(builder, item), Item.as_payload)


def _items(platform: str, payload: dict[str, Any]) -> Iterator[Item]:
    """Return the items; in `standby` are those of conversations that another app has in hand."""
    for entry in list_at(payload, "entry"):
        page = string_at(entry, "id")
        for place in ("messaging", "standby"):
            for body in list_at(entry, place):
                yield Item(platform, page, body, place)
        for change in list_at(entry, "changes"):
            yield Item(platform, page, _as_item(change, page))


def _as_item(change: Any, page: str | None) -> dict[str, Any]:
    """Return a change as an item: a message (Meta's test button), or a comment by its writer."""
    value = object_at(change, "value")
    if "sender" in value:
        return value
    writer = {"sender": {"id": found}} if (found := string_at(value, "from", "id")) else {}
    field = string_at(change, "field") or "unknown"
    return {**writer, "recipient": {"id": page}, field: value}
