"""Files that we keep are given to the conversations of the channel account they came through."""

import pytest

from services.ingest.attachments import Attachments
from services.ingest.domain.conversations import Conversation, SharedFile
from services.ingest.outgoing import FetchFailed, Guard
from services.ingest.readers import IsolatedReader
from tests.support.builders_ingest import IDS, NOW

OURS = IDS.blob_id("email", "support", "a mail")


class Kept:
    """Has every blob there is."""

    async def get_blob(self, blob_id: str) -> bytes | None:
        """Return the same for each."""
        return b"kept"


def attachments() -> Attachments:
    return Attachments(Kept(), {}, Guard(()), IDS, IsolatedReader())


def conversation(provider: str, account: str, reference: str) -> Conversation:
    """Return a conversation whose events named a file."""
    files = (SharedFile(NOW, reference, "text/plain", "a.txt"),)
    return Conversation("conv_1", provider, account, "email", files=files)


async def test_a_kept_file_is_given_to_its_own_channel_account() -> None:
    reference = f"blob:{OURS}"
    known = conversation("email", "support", reference)
    assert await attachments().of(known, reference) == ("a.txt", b"kept")


@pytest.mark.parametrize("reference", [f"blob:{OURS}", "blob:mail_1", f"blob:{OURS}/0"])
@pytest.mark.parametrize("place", [("email", "sales"), ("portal", "support")])
async def test_no_other_channel_account_gets_it_by_naming_it(
    place: tuple[str, str], reference: str
) -> None:
    with pytest.raises(FetchFailed):
        await attachments().of(conversation(*place, reference), reference)
