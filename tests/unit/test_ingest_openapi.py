"""Requests of every shape that the OpenAPI of ingest allows, and many it does not: never a 5xx."""

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import GenerationMode

from tests.support.builders_ingest import API_KEY, Fakes
from tests.support.ingest_http import hook_app

CONFIG = schemathesis.Config.from_dict({"generation": {"mode": "all"}})
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", hook_app(Fakes()), config=CONFIG)


@SCHEMA.parametrize()
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_request_gives_a_5xx(case: schemathesis.Case) -> None:
    assert case.call().status_code < 500


@SCHEMA.parametrize()
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_request_with_a_key_gives_a_5xx(case: schemathesis.Case) -> None:
    case.headers = {**(case.headers or {}), "Authorization": f"Bearer {API_KEY}"}
    assert case.call().status_code < 500


def test_the_events_api_is_what_is_examined() -> None:
    assert {"/v1/events", "/v1/events:validate"} <= set(SCHEMA.raw_schema["paths"])
    assert GenerationMode.NEGATIVE in SCHEMA.config.generation.modes
