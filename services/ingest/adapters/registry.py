"""Every adapter there is, one line each."""

from collections.abc import Mapping

from services.ingest.adapters.contract import Adapter
from services.ingest.adapters.email import Email
from services.ingest.adapters.twilio import Twilio
from services.ingest.adapters.webchat import WebChat
from services.ingest.adapters.whatsapp import WhatsApp

ADAPTERS: Mapping[str, Adapter] = {
    adapter.provider: adapter
    for adapter in (
        Email(),
        Twilio(),
        WebChat(),
        WhatsApp(),
    )
}
