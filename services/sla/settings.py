"""What operators set for the sla service, as `THROUGHLINE_SLA_…`."""

from pydantic import Field, SecretStr

from shared.settings import ServiceSettings, settings_for


class Settings(ServiceSettings):
    """Settings of the sla service."""

    model_config = settings_for("sla")

    port: int = Field(default=8082, ge=0, le=65535, description="port of /v1/clocks, /v1/promises")
    ops_port: int = Field(
        default=9082, ge=0, le=65535, description="port of /health/live, /health/ready, /metrics"
    )
    api_token: SecretStr | None = Field(
        default=None, description="bearer token that the API asks for; none: it asks for none"
    )
