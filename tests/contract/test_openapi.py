"""The OpenAPI documents: valid, and what ingest does when it is sent anything they allow or not."""

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.applications import Starlette

from services.ingest.api import EventsApi
from services.ingest.app import create_http
from services.ingest.domain.gate import Gate
from services.ingest.webhooks import Webhooks
from tests.support.builders_ingest import API_KEY, Fakes, api_keys


def ingest() -> Starlette:
    """Return ingest's HTTP side with everything behind it in memory."""
    intake = Fakes().intake()
    return create_http(Webhooks({}, intake, Gate()), EventsApi(api_keys(), intake, Gate()))


SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", ingest())


@SCHEMA.parametrize()
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_ingest_answers_as_its_document_says_and_never_with_5xx(case: schemathesis.Case) -> None:
    case.call_and_validate(
        headers={"Authorization": f"Bearer {API_KEY}"},
        # what `data` holds is in a JSON Schema for each type, not in this document
        excluded_checks=[positive_data_acceptance],
    )
