"""The contracts are served by every service: readable, whole, and without anything foreign."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import httpx
import jsonschema
import pytest
import yaml

from deploy.openapi import built
from services.ingest.adapters.payloads.own_events import Stamp, translate
from services.ingest.domain.channels import Permission
from shared.contracts.asyncapi import SERVICES, asyncapi
from shared.contracts.examples import examples
from shared.contracts.fields import Field, fields
from shared.contracts.page import marked
from shared.contracts.schemas import event_types
from shared.events.topics import TOPICS
from tests.support.builders_ingest import IDS, NOW, message_event

PAGES = pytest.mark.parametrize("service", SERVICES)


async def get(service: str, path: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(app=built(service).http, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as http:
        return await http.get(path, headers=headers)


class Tags(HTMLParser):
    """Collects the tags of a page, their attributes, and which of them are left open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@PAGES
async def test_the_page_shows_every_event_topic_and_operation_of_its_service(service: str) -> None:
    text = (await get(service, "/docs")).text
    mine = [topic for topic in TOPICS if service in (*topic.producers, *topic.consumers)]
    for topic in mine:
        assert f"<code>{topic.name}</code>" in text
        assert all(f'<details id="{kind.wire_type}">' in text for kind in topic.events)
    for path in built(service).http.openapi()["paths"]:
        assert f"<code>{path}</code>" in text


@PAGES
async def test_the_page_runs_no_script_and_asks_nobody_for_anything(service: str) -> None:
    answer = await get(service, "/docs")
    page = Tags(answer.text)
    assert page.open == []
    assert set(page.tags).isdisjoint({"script", "link", "img", "iframe", "form", "base", "object"})
    assert not any(name.startswith("on") or name == "style" for name in page.attributes)
    assert [link for link in page.attributes["href"] if "//" in link or link.startswith("/")] == []
    policy = answer.headers["content-security-policy"]
    (style,) = re.findall(r"<style>(.*)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "script-src" not in policy and "unsafe" not in policy


@PAGES
async def test_every_link_of_the_page_leads_somewhere(service: str) -> None:
    links = set(Tags((await get(service, "/docs")).text).attributes["href"])
    assert links
    for link in links:
        assert (await get(service, f"/{link}")).status_code == 200, link


@PAGES
async def test_the_documents_for_programs_are_served(service: str) -> None:
    served = await get(service, "/asyncapi.yaml")
    assert yaml.safe_load(served.text) == asyncapi()
    assert (await get(service, "/openapi.json")).json() == built(service).http.openapi()
    for kind in event_types():
        schema = (await get(service, f"/schemas/{kind.wire_type}.json")).json()
        jsonschema.Draft202012Validator(schema).validate(examples()[kind.wire_type][0])


@pytest.mark.parametrize(
    "wrong", [{"data_kind": 5}, {"data_colour": "red"}, {"data_message_id": None}]
)
async def test_an_event_that_does_not_fit_is_told_where_its_schema_is(wrong: Any) -> None:
    sent = message_event(**wrong)
    _, (error,) = translate(
        [sent], Stamp(Permission(integrator="demo", channel_accounts=("*",)), NOW, IDS)
    )
    schema = (await get("ingest", error.fix.removeprefix("See ").removesuffix("."))).json()
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(sent)


async def test_what_is_no_event_type_has_no_schema() -> None:
    for path in ("/schemas/none.json", "/schemas/inbox/throughline.case.opened.v1.json"):
        assert (await get("ingest", path)).status_code == 404


@pytest.mark.parametrize("path", ["/docs/try", "/asyncapi/try", "/docs", "/asyncapi.yaml"])
async def test_nothing_can_be_tried_out(path: str) -> None:
    transport = httpx.ASGITransport(app=built("ingest").http, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as http:
        assert (await http.post(path, content=b"{}")).status_code in (404, 405)


def test_the_fields_of_a_schema_are_told_in_words() -> None:
    schema = {
        "properties": {
            "id": {"type": "string", "maxLength": 5},
            "size": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]},
            "files": {"type": "array", "items": {"$ref": "#/$defs/File"}, "maxItems": 3},
        },
        "required": ["id"],
        "$defs": {"File": {"type": "object", "properties": {"at": {"format": "date-time"}}}},
    }
    schema["$defs"]["File"]["properties"]["at"]["type"] = "string"  # type: ignore[index]
    assert fields(schema) == [
        Field("id", "text", True, "at most 5 characters"),
        Field("size", "whole number or null", False, "0 or more"),
        Field("files", "list of record", False, "at most 3"),
        Field("files[].at", "time", False, ""),
    ]


async def test_what_an_integrator_must_send_is_marked() -> None:
    text = (await get("ingest", "/docs")).text
    event = text.partition('<details id="throughline.form.submitted.v1">')[2].partition(
        "</details>"
    )[0]
    rows = dict(re.findall(r"<tr><td><code>(.*?)</code></td>(.*?)</tr>", event))
    assert "<td>required</td>" in rows["data.form"]
    assert "<td>stamped if left out</td>" in rows["data.received_at"]
    assert "<td>stamped if left out</td>" in rows["partitionkey"]
    assert "<td>optional</td>" in rows["data.locale"]
    shown = re.search(r"<pre>(.*)</pre>", event, re.DOTALL)
    assert shown and "received_at" not in shown[1]
    assert json.loads(shown[1].replace("&#34;", '"'))["type"] == "throughline.form.submitted.v1"


def test_what_stands_in_backticks_is_code_and_the_rest_is_escaped() -> None:
    assert marked("<b> `a<b` and `c`") == "&lt;b&gt; <code>a&lt;b</code> and <code>c</code>"
