"""Every sender there is, one line each; a provider without one only receives."""

from collections.abc import Mapping

from services.ingest.senders.contract import Sender

SENDERS: Mapping[str, Sender] = {sender.provider: sender for sender in tuple[Sender, ...]()}
