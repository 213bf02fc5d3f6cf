"""The main job on real input: four processes, real Kafka and MongoDB, real provider payloads."""

import asyncio
import json
import urllib.request
from collections.abc import Iterator

import pytest

from deploy.local.stack import Stack
from deploy.sample.story import ADDRESS, NUMBER, tell
from deploy.up import SERVICES, LocalRun
from shared.events.topics import DEAD_LETTER_TOPIC, TOPICS
from tests.support.kafka import read_events

PERSONAL = ("Ana", "Kova", "kovac@", "40123456", "lid of my box", "1349120865530274")


@pytest.fixture(scope="module")
def running(stack: Stack) -> Iterator[tuple[LocalRun, str]]:
    """The four services, after the sample's story; and the address of Ana's page."""
    with LocalRun(stack, prefix="story-") as run:
        run.start()
        page = tell(run.places(), run.secrets, print, run.mailbox)
        yield run, page


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def test_three_messages_their_cases_offers_and_the_promise_are_on_one_page(
    running: tuple[LocalRun, str],
) -> None:
    _, page = running
    html = _get(page)
    for words in ("Ana Kovač", "Wrote by SMS", "Maja Novak took it", "is at risk"):
        assert words in html


def test_a_customer_record_ties_her_address_to_her_number(running: tuple[LocalRun, str]) -> None:
    run, page = running
    by_number = json.loads(
        _get(f"{run.places().profile}/v1/customers?contact_point=tel:%2B386%2040%20123%20456")
    )
    assert {ADDRESS, NUMBER} <= set(by_number["contact_points"])
    assert page.endswith(by_number["customer_id"])


def test_the_cases_reference_is_found_however_it_is_read_out(
    running: tuple[LocalRun, str],
) -> None:
    run, page = running
    customer = page.rpartition("/")[2]
    places = run.places()
    timeline = json.loads(_get(f"{places.profile}/v1/customers/{customer}/timeline"))
    references = {e["case_reference"] for e in timeline["entries"] if e["case_reference"]}
    assert len(references) == 3
    for reference in references:
        spoken = reference.lower().replace("-", "%20")
        case = json.loads(_get(f"{places.routing}/v1/cases/{spoken}"))
        assert case["reference"] == reference


async def test_every_topic_a_service_promises_to_write_was_written(
    running: tuple[LocalRun, str],
) -> None:
    run, _ = running
    promised = {topic.name for topic in TOPICS if set(topic.producers) <= set(SERVICES)}
    promised -= {DEAD_LETTER_TOPIC.name}  # nothing was given up on
    for topic in promised:
        assert await read_events(run.stack.kafka_bootstrap, run.prefix, topic), topic


def test_logs_and_metrics_hold_nothing_personal(running: tuple[LocalRun, str]) -> None:
    run, _ = running
    for name in SERVICES:
        told = run.log(name) + _get(f"{run.ops(name)}/metrics")
        assert told.strip()
        assert [canary for canary in PERSONAL if canary in told] == []


def test_every_log_line_is_json(running: tuple[LocalRun, str]) -> None:
    run, _ = running
    for name in SERVICES:
        for line in run.log(name).splitlines():
            assert json.loads(line)["service"] == name


def test_every_metric_has_help(running: tuple[LocalRun, str]) -> None:
    run, _ = running
    for name in SERVICES:
        lines = _get(f"{run.ops(name)}/metrics").splitlines()
        helped = {line.split()[2] for line in lines if line.startswith("# HELP")}
        typed = {line.split()[2] for line in lines if line.startswith("# TYPE")}
        assert typed <= helped


async def test_every_service_is_alive_and_ready(running: tuple[LocalRun, str]) -> None:
    run, _ = running
    for name in SERVICES:
        for probe, answer in (("live", "live"), ("ready", "ready")):
            assert await asyncio.to_thread(_get, f"{run.ops(name)}/health/{probe}") == answer
