"""What a request for a reply holds: a text, files, or both."""

import hashlib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.ingest.domain import limits
from shared.http import ApiError

Short = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Parameter = Annotated[str, StringConstraints(min_length=1, max_length=limits.REPLY_PARAMETER)]
_NEEDS: dict[str, Any] = {"anyOf": [{"required": ["text"]}, {"required": ["attachments"]}]}


class FileBody(BaseModel):
    """A file to send: an https address, or the `blob:` reference of a file of this conversation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reference: Annotated[str, StringConstraints(pattern=r"^(https://|blob:)", max_length=2_048)]
    media_type: Annotated[
        str,
        StringConstraints(
            pattern=r"^[A-Za-z0-9_.+-]{1,100}/[A-Za-z0-9_.+-]{1,100}$", max_length=201
        ),
    ] = "application/octet-stream"
    name: Annotated[str, StringConstraints(min_length=1, max_length=limits.FILE_NAME)] | None = None


class ReplyBody(BaseModel):
    """A reply: what is said or attached, and who says it."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=_NEEDS)

    text: Annotated[str, StringConstraints(min_length=1, max_length=limits.TEXT)] | None = None
    html: Annotated[str, StringConstraints(min_length=1, max_length=limits.TEXT)] | None = None
    attachments: Annotated[tuple[FileBody, ...], Field(max_length=limits.REPLY_FILES)] = ()
    sender: Literal["agent", "bot", "system"]
    agent_id: Short | None = None
    in_reply_to: Short | None = None
    template: Short | None = None
    template_parameters: Annotated[
        tuple[Parameter, ...], Field(max_length=limits.REPLY_PARAMETERS)
    ] = ()
    language: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$")] | None
    ) = None

    @model_validator(mode="after")
    def _parameters_fill_a_template(self) -> "ReplyBody":
        if self.template_parameters and self.template is None:
            raise ValueError("template_parameters need a template")
        return self


def check_content(body: ReplyBody) -> None:
    """Refuse with `ApiError` a reply that holds nothing, or shows what its text would have to."""
    if body.text is not None:
        return
    if not body.attachments:
        raise ApiError(
            422,
            "reply-empty",
            "The reply has neither a text nor an attachment.",
            "Write a text, attach a file, or both.",
        )
    for name, given in (("html", body.html), ("template", body.template)):
        if given is not None:
            raise ApiError(
                422,
                "text-missing",
                f"The reply has a field {name} without a text.",
                f"Write as text what it says, or leave {name} out.",
            )


def fingerprint(conversation_id: str, body: ReplyBody) -> str:
    """Return what tells a request from another one with the same Idempotency-Key.

    A field that came later is left out where it is not used: a request may be repeated across an
    upgrade.
    """
    later = set() if body.template_parameters else {"template_parameters"}
    written = f"{conversation_id}\n{body.model_dump_json(exclude=later)}".encode(
        "utf-8", "surrogatepass"
    )
    return hashlib.sha256(written).hexdigest()
