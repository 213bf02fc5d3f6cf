"""What operators can set for ingest, as `THROUGHLINE_INGEST_…`."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from shared.settings import ServiceSettings, settings_for

Part = Literal["doors", "inbox", "replies"]
PARTS: tuple[Part, ...] = ("doors", "inbox", "replies")


class Settings(ServiceSettings):
    """Ports and names of ingest's doors."""

    model_config = settings_for("ingest")

    port: int = Field(default=8080, ge=0, le=65535, description="port of hooks and events API")
    ops_port: int = Field(
        default=9080, ge=0, le=65535, description="port of /health/live, /health/ready, /metrics"
    )
    smtp_host: str = Field(
        default="127.0.0.1",
        description="address to take mail on; give it to your mail relay only, by network policy",
    )
    smtp_port: int = Field(default=8025, ge=0, le=65535, description="port to take mail on")
    lmtp_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="port to take mail on by LMTP, at the same address; none: no LMTP",
    )
    smtp_name: str = Field(
        default="throughline.localhost", description="host name that SMTP and LMTP greet with"
    )
    parts: Annotated[tuple[Part, ...], NoDecode] = Field(
        default=PARTS,
        description="what this process does, with commas: `doors` (hooks, events API, mail, chat), "
        "`inbox` (the Kafka topic contact-inbox), `replies` (conversations, and sending); apart, "
        "doors answer faster",
    )
    spool_bytes: int = Field(
        default=1024 * 1024 * 1024,
        ge=0,
        description="bytes of accepted events kept in MongoDB while Kafka is away, at most",
    )
    outgoing_allow: str = Field(
        default="",
        description="places that requests of ours may go to though they are not public or not "
        "https on port 443, as `host:port`, several with commas: an internal mail relay or proxy",
    )
    chat_sockets: int = Field(
        default=5_000,
        ge=0,
        le=50_000,
        description="chat sockets this process holds at most; 5 000 take under 400 MB",
    )
    chat_sockets_per_peer: int = Field(
        default=0,
        ge=0,
        description="chat sockets one address may hold in this process, of IPv6 one network of 64 "
        "bits; 0: no limit, as behind a proxy, where every visitor comes from its address: limit "
        "connections there. X-Forwarded-For is not believed",
    )
    chat_demo: bool = Field(
        default=False,
        description="serve a page to try a web chat on, at /chat/ACCOUNT/demo; its own origin "
        "must be among the account's `origins`",
    )

    @field_validator("parts", mode="before")
    @classmethod
    def _split(cls, written: Any) -> Any:
        return [one.strip() for one in written.split(",")] if isinstance(written, str) else written
