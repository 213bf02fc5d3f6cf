"""Every adapter there is, one line each."""

from collections.abc import Mapping

from services.ingest.adapters.amazon_connect import AmazonConnect
from services.ingest.adapters.asterisk import Asterisk
from services.ingest.adapters.chatwoot import Chatwoot
from services.ingest.adapters.contract import Adapter
from services.ingest.adapters.email import Email
from services.ingest.adapters.form import Form
from services.ingest.adapters.freshchat import Freshchat
from services.ingest.adapters.genesys import Genesys
from services.ingest.adapters.instagram import Instagram
from services.ingest.adapters.intercom import Intercom
from services.ingest.adapters.line import Line
from services.ingest.adapters.mailgun import Mailgun
from services.ingest.adapters.messenger import Messenger
from services.ingest.adapters.portal import Portal
from services.ingest.adapters.postmark import Postmark
from services.ingest.adapters.sendgrid import SendGrid
from services.ingest.adapters.ses import Ses
from services.ingest.adapters.slack import Slack
from services.ingest.adapters.standard_webhooks import StandardWebhooksHook
from services.ingest.adapters.telegram import Telegram
from services.ingest.adapters.twilio import Twilio
from services.ingest.adapters.twilio_voice import TwilioVoice
from services.ingest.adapters.viber import Viber
from services.ingest.adapters.vonage import Vonage
from services.ingest.adapters.webchat import WebChat
from services.ingest.adapters.whatsapp import WhatsApp
from services.ingest.adapters.x import X
from services.ingest.adapters.zendesk import Zendesk

ADAPTERS: Mapping[str, Adapter] = {
    adapter.provider: adapter
    for adapter in (
        AmazonConnect(),
        Asterisk(),
        Chatwoot(),
        Email(),
        Freshchat(),
        Intercom(),
        Form(),
        Genesys(),
        Portal(),
        Postmark(),
        SendGrid(),
        Ses(),
        StandardWebhooksHook(),
        Instagram(),
        Mailgun(),
        Line(),
        Messenger(),
        Slack(),
        Telegram(),
        Twilio(),
        TwilioVoice(),
        Vonage(),
        Viber(),
        WebChat(),
        WhatsApp(),
        X(),
        Zendesk(),
    )
}
