"""Instagram's way out: the Send API of the Instagram API with Instagram login.

Source: Meta's page "Send messages" (Instagram platform). It takes what Messenger's takes.
"""

from services.ingest.senders.messenger import MessengerSender


class InstagramSender(MessengerSender):
    """Writes as the professional account in the option `page_id`."""

    provider = "instagram"
    api = "https://graph.instagram.com"
    hosts = frozenset({"graph.instagram.com"})
    longest = 1_000
