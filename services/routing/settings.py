"""What routing's operators can set, as `THROUGHLINE_ROUTING_…`."""

from pydantic import Field, SecretStr

from shared.settings import ServiceSettings, settings_for


class Settings(ServiceSettings):
    """Settings of the routing service."""

    model_config = settings_for("routing")

    port: int = Field(default=8081, ge=0, le=65535, description="port of the agents' API")
    ops_port: int = Field(
        default=9081, ge=0, le=65535, description="port of /health/live, /health/ready, /metrics"
    )
    api_token: SecretStr | None = Field(
        default=None, description="bearer token the API asks for; without one it asks for none"
    )
