"""The OpenAPI document of ingest: what it does when it is sent anything that allows, and more."""

import json
from pathlib import Path

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.support.builders_ingest import API_KEY, Fakes
from tests.support.ingest_http import client, hook_app

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/openapi-ingest.json"
CONFIG = schemathesis.Config.from_dict({"generation": {"mode": "all"}})
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", hook_app(Fakes()), config=CONFIG)
BY_KEY = {"Authorization": f"Bearer {API_KEY}"}


@SCHEMA.parametrize()
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
def test_ingest_answers_as_its_document_says_and_never_with_5xx(case: schemathesis.Case) -> None:
    case.call_and_validate(
        headers=BY_KEY,
        # what `data` holds is in a JSON Schema for each type, not in this document; a reply may
        # be right and yet not be sendable here or now
        excluded_checks=[positive_data_acceptance],
    )


@SCHEMA.parametrize()
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
def test_no_request_without_a_key_gives_a_5xx(case: schemathesis.Case) -> None:
    assert case.call().status_code < 500


def test_the_whole_published_document_is_examined() -> None:
    published = json.loads(DOCUMENT.read_text())
    assert SCHEMA.raw_schema["paths"] == published["paths"]
    examined = {operation.ok().path for operation in SCHEMA.get_all_operations()}
    assert examined == set(published["paths"])
    assert {"/v1/events", "/v1/conversations/{conversation_id}/replies"} <= examined
    assert GenerationMode.NEGATIVE in SCHEMA.config.generation.modes


async def test_the_requests_get_as_far_as_a_reply_that_is_taken() -> None:
    async with client(Fakes()) as desk:
        taken = await desk.post(
            "/v1/conversations/conv_1/replies",
            json={"text": "We open at nine.", "sender": "agent"},
            headers={**BY_KEY, "Idempotency-Key": "key-1"},
        )
        assert taken.status_code == 202
        reply = taken.json()["reply_id"]
        found = await desk.get(f"/v1/conversations/conv_1/replies/{reply}", headers=BY_KEY)
        assert found.json()["state"] == "waiting"
        unknown = await desk.get(f"/v1/conversations/{'x' * 65}", headers=BY_KEY)
        assert unknown.status_code == 404
