"""Every adapter there is, one line each."""

from collections.abc import Mapping

from services.ingest.adapters.contract import Adapter
from services.ingest.adapters.email import Email
from services.ingest.adapters.instagram import Instagram
from services.ingest.adapters.line import Line
from services.ingest.adapters.messenger import Messenger
from services.ingest.adapters.slack import Slack
from services.ingest.adapters.telegram import Telegram
from services.ingest.adapters.twilio import Twilio
from services.ingest.adapters.viber import Viber
from services.ingest.adapters.whatsapp import WhatsApp
from services.ingest.adapters.x import X

ADAPTERS: Mapping[str, Adapter] = {
    adapter.provider: adapter
    for adapter in (
        Email(),
        Instagram(),
        Line(),
        Messenger(),
        Slack(),
        Telegram(),
        Twilio(),
        Viber(),
        WhatsApp(),
        X(),
    )
}
