"""Every sender there is, one line each; a provider without one only receives."""

from collections.abc import Mapping

from services.ingest.senders.chatwoot import ChatwootSender
from services.ingest.senders.contract import Sender
from services.ingest.senders.email import EmailSender
from services.ingest.senders.freshchat import FreshchatSender
from services.ingest.senders.instagram import InstagramSender
from services.ingest.senders.intercom import IntercomSender
from services.ingest.senders.line import LineSender
from services.ingest.senders.mailgun import MailgunSender
from services.ingest.senders.messenger import MessengerSender
from services.ingest.senders.postmark import PostmarkSender
from services.ingest.senders.sendgrid import SendGridSender
from services.ingest.senders.ses import SesSender
from services.ingest.senders.slack import SlackSender
from services.ingest.senders.telegram import TelegramSender
from services.ingest.senders.twilio import TwilioSender
from services.ingest.senders.viber import ViberSender
from services.ingest.senders.vonage import VonageSender
from services.ingest.senders.webchat import WebChatSender
from services.ingest.senders.whatsapp import WhatsAppSender
from services.ingest.senders.x import XSender
from services.ingest.senders.zendesk import ZendeskSender

_ALL: tuple[Sender, ...] = (
    ChatwootSender(),
    EmailSender(),
    MailgunSender(),
    PostmarkSender(),
    SendGridSender(),
    SesSender(),
    InstagramSender(),
    LineSender(),
    MessengerSender(),
    SlackSender(),
    TelegramSender(),
    FreshchatSender(),
    IntercomSender(),
    TwilioSender(),
    ViberSender(),
    VonageSender(),
    WebChatSender(),
    WhatsAppSender(),
    XSender(),
    ZendeskSender(),
)
SENDERS: Mapping[str, Sender] = {sender.provider: sender for sender in _ALL}
