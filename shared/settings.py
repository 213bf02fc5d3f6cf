"""Deployment settings: environment variables `THROUGHLINE_…`, validated, unknown ones refused."""

import difflib
import os
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import Field, SecretStr, StringConstraints, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import SettingsError

_PREFIX = "THROUGHLINE_"
_SERVICES = ("INGEST", "ROUTING", "SLA", "PROFILE")
_NOT_SETTINGS = ("CRASH_AT", "REQUIRE_REAL_KAFKA")  # for tests and CI, read where they are used


class KafkaSettings(BaseSettings):
    """Where this deployment's topics are: all that a command about them needs."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True)

    kafka: str = Field(description="Kafka bootstrap servers, `host:port`, several with commas")
    prefix: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{0,40}$")] = Field(
        default="",
        description="put before topic, group and database names, so that several deployments "
        "can share one Kafka and one MongoDB",
    )

    def topic(self, name: str) -> str:
        """Return the name a topic has on this deployment's Kafka."""
        return f"{self.prefix}{name}"


class CommonSettings(KafkaSettings):
    """What every service needs to know."""

    mongodb: str = Field(description="MongoDB address, `mongodb://host:port/?replicaSet=rs0`")
    id_key: SecretStr = Field(
        min_length=16,
        description="secret from which ids of addresses are made; the same for all services, "
        "never changed while data is kept",
    )
    policy: str = Field(
        default="deploy/policy",
        description="folder of charter.yaml, routing.yaml and channels.yaml",
    )
    session_timeout: float = Field(
        default=30.0,
        ge=1.0,
        le=300.0,
        description="seconds after which a silent consumer's partitions move on: ten heartbeats. "
        "Kafka's group.min.session.timeout.ms and group.max.session.timeout.ms bound it",
    )
    limit_dead_letters: bool = Field(
        default=True,
        description="stop a consumer that gives up too many records; switch off for one run, "
        "after looking, to let truly bad ones through to the dead letters",
    )
    log_level: Annotated[str, StringConstraints(pattern=r"^(debug|info|warning|error)$")] = Field(
        default="info", description="debug, info, warning or error"
    )

    def database(self, service: str) -> str:
        """Return the name of a service's database."""
        return f"{self.prefix}throughline-{service}"


class ServiceSettings(BaseSettings):
    """What every service lets its operators set, each under its own prefix."""

    common: CommonSettings = Field(default_factory=lambda: load_settings(CommonSettings))
    host: str = Field(default="127.0.0.1", description="address to serve on")
    port: int = Field(default=0, ge=0, le=65535, description="port of the service's own HTTP")
    ops_port: int = Field(
        default=0, ge=0, le=65535, description="port of /health/live, /health/ready, /metrics"
    )


def settings_for(service: str) -> SettingsConfigDict:
    """Return the configuration of a service's settings class."""
    return SettingsConfigDict(env_prefix=f"{_PREFIX}{service.upper()}_", frozen=True)


S = TypeVar("S", bound=BaseSettings)


def load_settings(settings: type[S], **given: Any) -> S:
    """Read settings from the environment, or refuse with every problem in one `SettingsError`."""
    _refuse_unknown(settings, os.environ)
    try:
        return settings(**given)
    except ValidationError as error:
        prefix = settings.model_config.get("env_prefix", _PREFIX)
        problems = [
            f"{prefix}{'_'.join(map(str, detail['loc'][:1])).upper()}: {detail['msg']}."
            for detail in error.errors(include_input=False, include_url=False)
        ]
        raise SettingsError(" ".join(problems), "Set it; docs/settings.md lists all.") from None


def _refuse_unknown(settings: type[BaseSettings], environment: Mapping[str, str]) -> None:
    prefix = settings.model_config.get("env_prefix", _PREFIX) or _PREFIX
    fields = (CommonSettings if prefix == _PREFIX else settings).model_fields
    known = {f"{prefix}{name.upper()}" for name in fields}
    others = tuple(
        f"{_PREFIX}{service}_" for service in _SERVICES if f"{_PREFIX}{service}_" != prefix
    )
    if prefix == _PREFIX:
        known |= {f"{_PREFIX}{name}" for name in _NOT_SETTINGS}
    for name in environment:
        if not name.startswith(prefix) or name in known:
            continue
        if prefix == _PREFIX and name.startswith(others):
            continue  # a service's own, checked by that service
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]}?" if near else "docs/settings.md lists all."
        raise SettingsError(f"{name} is not a setting.", f"Remove it. {hint}")
