"""Every adapter there is, one line each."""

from collections.abc import Mapping

from services.ingest.adapters.chatwoot import Chatwoot
from services.ingest.adapters.contract import Adapter
from services.ingest.adapters.email import Email
from services.ingest.adapters.freshchat import Freshchat
from services.ingest.adapters.intercom import Intercom
from services.ingest.adapters.twilio import Twilio
from services.ingest.adapters.whatsapp import WhatsApp
from services.ingest.adapters.zendesk import Zendesk

ADAPTERS: Mapping[str, Adapter] = {
    adapter.provider: adapter
    for adapter in (
        Chatwoot(),
        Email(),
        Freshchat(),
        Intercom(),
        Twilio(),
        WhatsApp(),
        Zendesk(),
    )
}
