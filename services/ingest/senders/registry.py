"""Every sender there is, one line each; a provider without one only receives."""

from collections.abc import Mapping

from services.ingest.senders.contract import Sender
from services.ingest.senders.email import EmailSender
from services.ingest.senders.twilio import TwilioSender
from services.ingest.senders.vonage import VonageSender
from services.ingest.senders.webchat import WebChatSender
from services.ingest.senders.whatsapp import WhatsAppSender

_ALL: tuple[Sender, ...] = (
    EmailSender(),
    TwilioSender(),
    VonageSender(),
    WebChatSender(),
    WhatsAppSender(),
)
SENDERS: Mapping[str, Sender] = {sender.provider: sender for sender in _ALL}
