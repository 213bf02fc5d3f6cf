"""Every sender there is, one line each; a provider without one only receives."""

from collections.abc import Mapping

from services.ingest.senders.contract import Sender
from services.ingest.senders.twilio import TwilioSender

SENDERS: Mapping[str, Sender] = {sender.provider: sender for sender in (TwilioSender(),)}
