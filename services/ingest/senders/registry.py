"""Every sender there is, one line each; a provider without one only receives."""

from collections.abc import Mapping

from services.ingest.senders.chatwoot import ChatwootSender
from services.ingest.senders.contract import Sender
from services.ingest.senders.email import EmailSender
from services.ingest.senders.freshchat import FreshchatSender
from services.ingest.senders.intercom import IntercomSender
from services.ingest.senders.twilio import TwilioSender
from services.ingest.senders.vonage import VonageSender
from services.ingest.senders.whatsapp import WhatsAppSender
from services.ingest.senders.zendesk import ZendeskSender

_ALL: tuple[Sender, ...] = (
    ChatwootSender(),
    EmailSender(),
    FreshchatSender(),
    IntercomSender(),
    TwilioSender(),
    VonageSender(),
    WhatsAppSender(),
    ZendeskSender(),
)
SENDERS: Mapping[str, Sender] = {sender.provider: sender for sender in _ALL}
