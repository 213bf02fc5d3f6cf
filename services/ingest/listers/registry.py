"""Every lister there is, one line each; a provider without one cannot be asked for the past."""

from collections.abc import Mapping

from services.ingest.listers.contract import Lister
from services.ingest.listers.twilio import TwilioLister
from services.ingest.listers.vonage import VonageLister

_ALL: tuple[Lister, ...] = (
    TwilioLister(),
    VonageLister(),
)
LISTERS: Mapping[str, Lister] = {lister.provider: lister for lister in _ALL}
