"""What Meta's APIs for sending have in common: the version, and what an error's code means."""

from services.ingest.domain.outcomes import Later, Outcome, Refused
from services.ingest.senders.contract import Answer, Sender, retry_after
from services.ingest.senders.provider_calls import told

VERSION = "v23.0"
BUSY = frozenset({"4", "17", "32", "613", "80006", "80007", "130429", "131048", "131056"})
"""Codes of Meta that mean "too many calls"; they come with HTTP 400, too."""
WINDOW_CLOSED = frozenset({"2018278", "2534022", "131047"})
"""Codes and subcodes that mean that the service window is closed."""


class MetaSender(Sender):
    """A way out through a Graph API: free replies only within the service window."""

    secrets = frozenset({"access_token"})
    window = True

    def read(self, answer: Answer) -> Outcome:
        """Return what an answer means: by Meta's code, then by its status."""
        codes = {told(answer, "error", name) for name in ("code", "error_subcode")}
        if answer.status in range(400, 500) and codes & BUSY:
            return Later(self.problem(answer), retry_after(answer))
        if codes & WINDOW_CLOSED:
            return Refused(f"The service window is closed ({self.problem(answer)}).")
        return super().read(answer)

    def problem(self, answer: Answer) -> str:
        """Return Meta's error codes: its pages explain each."""
        code, more = told(answer, "error", "code"), told(answer, "error", "error_subcode")
        if code is None:
            return super().problem(answer)
        return f"Meta error {code}/{more}" if more else f"Meta error {code}"
