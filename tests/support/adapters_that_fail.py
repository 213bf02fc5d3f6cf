"""Adapters whose parsing goes wrong in every way there is; worker processes import them."""

import os
import signal
from datetime import datetime

from services.ingest.adapters.contract import Adapter, Parsed
from services.ingest.adapters.email import Email
from services.ingest.adapters.request import ChannelAccount, RawRequest
from shared.ids import KeyedIds


class Fails(Adapter):
    """Does what the body's first word says, else what e-mail does."""

    provider = "email"
    transport = "smtp"
    scheme = Email.scheme
    isolated = True

    def parse(
        self, request: RawRequest, account: ChannelAccount, received_at: datetime, ids: KeyedIds
    ) -> Parsed:
        """Spin, die, eat memory, print, tell its process, or translate."""
        word = request.body.partition(b" ")[0]
        if word == b"spin":
            while True:
                pass
        elif word == b"die":
            os.kill(os.getpid(), signal.SIGKILL)
        elif word == b"eat":
            return Parsed(ignored=(str(len(b"x" * 8 * 1024**3)),))
        elif word == b"tell":
            print("this must not get between the answers", flush=True)
            secrets = sorted(name for name in os.environ if name.startswith("THROUGHLINE"))
            return Parsed(ignored=(str(os.getpid()), *secrets, *account.secrets))
        return Email().parse(request, account, received_at, ids)
