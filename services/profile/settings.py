"""What operators of the profile service can set (`THROUGHLINE_PROFILE_…`)."""

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, SecretStr

from shared.settings import ServiceSettings, settings_for


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is not an IANA time zone such as Europe/Ljubljana") from None
    return name


class Settings(ServiceSettings):
    """The profile service's settings."""

    model_config = settings_for("profile")

    port: int = Field(default=8083, ge=0, le=65535, description="port of the API and the pages")
    ops_port: int = Field(
        default=9083, ge=0, le=65535, description="port of /health/live, /health/ready, /metrics"
    )
    api_token: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="when set, the API and the pages need it as `Authorization: Bearer …`",
    )
    time_zone: Annotated[str, AfterValidator(_known_zone)] = Field(
        default="UTC", description="IANA time zone of the times on the pages"
    )
