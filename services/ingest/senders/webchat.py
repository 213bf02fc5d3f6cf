"""Replies by our own web chat: into the session's history, where every open widget finds them."""

from services.ingest.adapters.request import ChannelAccount
from services.ingest.domain.chat import TEXT, is_session_id
from services.ingest.senders.contract import Answer, NotSendable, Own, Reply, Sender


class WebChatSender(Sender):
    """Our own chat; putting the same reply in again changes nothing."""

    provider = "webchat"
    hosts = frozenset()
    repeatable = True
    longest = TEXT

    def compose(self, reply: Reply, account: ChannelAccount) -> Own:
        """Return the reply, if a widget can show it."""
        if not is_session_id(reply.reply_to):
            raise NotSendable("this is no chat session: answer at the address that was left")
        if not reply.text.strip() and not reply.files:
            raise NotSendable("there is nothing to say")
        if len(reply.text) > TEXT:
            raise NotSendable(f"a chat message has at most {TEXT} characters")
        if not all(file.reference.startswith("https://") for file in reply.files):
            raise NotSendable("a chat shows files by their https address only")
        return Own(reply)

    def message_id(self, answer: Answer) -> str | None:
        """Return None: nobody is called, so nobody answers."""
        return None
