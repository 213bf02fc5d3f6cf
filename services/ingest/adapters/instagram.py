"""Instagram messaging (Meta): messages to a professional account, story mentions and replies.

Its notifications are Messenger's but for the `object`; a read receipt names a message instead of a
moment, and comments come as `changes`.
"""

from services.ingest.adapters.messenger import Messenger


class Instagram(Messenger):
    """An account's messages; Meta vouches for the times."""

    provider = "instagram"
    platform = "instagram"
