"""Messenger's past messages, told as its webhooks would have told them; see `meta`."""

from services.ingest.listers.meta import MetaLister
from services.ingest.senders.messenger import MessengerSender


class MessengerLister(MetaLister):
    """The conversations of a Facebook page."""

    provider = "messenger"
    api = MessengerSender.api
    platform = "messenger"
    hook = "page"
