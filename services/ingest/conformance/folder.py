"""Payload folders: what a provider sends, one file each, and whose channel account it came to."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from services.ingest.adapters.request import ChannelAccount
from shared.errors import ThroughlineError

ABOUT = "account.json"
MEDIA_TYPES = {
    ".json": "application/json",
    ".form": "application/x-www-form-urlencoded",
    ".eml": "message/rfc822",
    ".multipart": "multipart/form-data; boundary=boundary",
    ".xml": "text/xml",
    ".ami": "text/plain",
}


class BadFolder(ThroughlineError):
    """A payload folder cannot be used as it is."""


@dataclass(frozen=True)
class Folder:
    """A payload folder: `account.json` says whose it is, every other file is one payload.

    `account.json` holds `account`, `secrets` (a list of live values for each name) and `options`;
    `shows` names the payload that shows a thing (`message` is a customer's plain one); `headers`
    are sent with every payload, and `payload_headers` with one of them. `stranger` gives values of
    another account's secrets, where no others can be derived. A payload's content type follows
    from its suffix, unless the headers name another.
    """

    provider: str
    place: Path = field(repr=False)

    @cached_property
    def _about(self) -> dict[str, Any]:
        try:
            told = json.loads((self.place / ABOUT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            told = None
        if not isinstance(told, dict) or not isinstance(told.get("account"), str):
            raise BadFolder(
                f"{self.place.name}/{ABOUT} is missing or not JSON with an `account`.",
                "See docs/howto/add-a-channel.md for what stands in it.",
            )
        return told

    def about(self) -> dict[str, Any]:
        """Return what `account.json` says."""
        return self._about

    def account(self) -> ChannelAccount:
        """Return the channel account the payloads came to."""
        told = self.about()
        secrets = {
            name: tuple(value.encode() for value in values)
            for name, values in told.get("secrets", {}).items()
        }
        return ChannelAccount(self.provider, told["account"], secrets, told.get("options", {}))

    def stranger(self) -> dict[str, bytes]:
        """Return secrets of somebody else, as far as `account.json` gives any."""
        given = self.about().get("stranger", {})
        return {name: value.encode() for name, value in given.items()}

    def shown(self, what: str) -> str | None:
        """Return the name of the payload that shows a thing, or None."""
        name: str | None = self.about().get("shows", {}).get(what)
        return name

    def path(self, name: str) -> Path:
        """Return the file of one payload."""
        found = [path for path in self._files() if path.stem == name]
        if len(found) != 1:
            raise BadFolder(
                f"{self.place.name} has {len(found)} payloads called {name!r}.",
                "Keep one; `shows` names payloads without their suffix.",
            )
        return found[0]

    def body(self, name: str) -> bytes:
        """Return the bytes of one payload."""
        return self.path(name).read_bytes()

    def names(self) -> list[str]:
        """Return the names of all payloads."""
        return sorted(path.stem for path in self._files())

    def headers(self, name: str) -> tuple[tuple[str, bytes], ...]:
        """Return the headers that come with a payload."""
        told = self.about()
        given = {
            "content-type": MEDIA_TYPES.get(self.path(name).suffix, "application/octet-stream"),
            **told.get("headers", {}),
            **told.get("payload_headers", {}).get(name, {}),
        }
        return tuple((key.lower(), value.encode()) for key, value in given.items())

    def _files(self) -> list[Path]:
        return [path for path in self.place.iterdir() if path.is_file() and path.name != ABOUT]
