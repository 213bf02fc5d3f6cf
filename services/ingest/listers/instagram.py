"""Instagram's past messages, told as its webhooks would have told them; see `meta`."""

from services.ingest.listers.meta import MetaLister
from services.ingest.senders.instagram import InstagramSender


class InstagramLister(MetaLister):
    """The conversations of an Instagram professional account."""

    provider = "instagram"
    api = InstagramSender.api
    platform = "instagram"
    hook = "instagram"
