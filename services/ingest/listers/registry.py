"""Every lister there is, one line each; a provider without one cannot be asked for the past."""

from collections.abc import Mapping

from services.ingest.listers.chatwoot import ChatwootLister
from services.ingest.listers.contract import Lister
from services.ingest.listers.instagram import InstagramLister
from services.ingest.listers.intercom import IntercomLister
from services.ingest.listers.mailgun import MailgunLister
from services.ingest.listers.messenger import MessengerLister
from services.ingest.listers.postmark import PostmarkLister
from services.ingest.listers.slack import SlackLister
from services.ingest.listers.twilio import TwilioLister
from services.ingest.listers.vonage import VonageLister

_ALL: tuple[Lister, ...] = (
    ChatwootLister(),
    InstagramLister(),
    IntercomLister(),
    MailgunLister(),
    MessengerLister(),
    PostmarkLister(),
    SlackLister(),
    TwilioLister(),
    VonageLister(),
)
LISTERS: Mapping[str, Lister] = {lister.provider: lister for lister in _ALL}
