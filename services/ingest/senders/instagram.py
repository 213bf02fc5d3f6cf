"""Instagram's way out: the Send API of the Instagram API with Instagram login.

Sources: Meta's pages "Send messages" (Instagram platform) and "Upload media for Instagram
messaging". It takes what Messenger's takes, but fewer kinds of files.
"""

from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain.files import kind_of_file
from services.ingest.senders.contract import Call, NotSendable, Reply
from services.ingest.senders.messenger import MessengerSender

PDF = "application/pdf"


class InstagramSender(MessengerSender):
    """Writes as the professional account in the option `page_id`."""

    provider = "instagram"
    api = "https://graph.instagram.com"
    hosts = frozenset({"graph.instagram.com"})
    longest = 1_000  # characters by our rule; by Meta's as many bytes, see `compose`

    def compose(self, reply: Reply, account: ChannelAccount) -> Call:
        """Return the call that sends the reply; no document but a PDF goes."""
        types = [file.media_type for file in reply.files]
        if any(kind_of_file(one) == "document" and one != PDF for one in types):
            raise NotSendable(
                "Instagram takes images, sounds, videos and PDFs: send a link to other files."
            )
        if len(reply.text.encode()) > self.longest:
            raise NotSendable("Instagram takes 1 000 bytes of text: shorten it, or send two.")
        return super().compose(reply, account)
