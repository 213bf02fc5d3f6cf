"""A frozen owner that wakes up after another process took over: fenced, and nothing happens twice.

It is frozen at labelled points, so that it really holds an open transaction or is about to write.
"""

import signal

import pytest

from tests.support.books import assert_every_effect_once, messages
from tests.support.deployment import Deployment, eventually
from tests.support.kafka import publish

EVENTS = 24


@pytest.mark.parametrize(
    "label",
    ["batch-received", "before-commit", "tick-before-commit"],
)
async def test_an_owner_that_wakes_up_late_is_fenced_and_both_go_on(
    deployment: Deployment, label: str
) -> None:
    early, late = messages(EVENTS), messages(EVENTS, first=EVENTS)
    await publish(deployment.kafka, deployment.prefix, early)
    zombie = deployment.start("tests.support.ledger", THROUGHLINE_CRASH_AT=f"{label}:1:stop")
    await zombie.stopped()

    successor = deployment.start("tests.support.ledger")
    await assert_every_effect_once(deployment, early)

    zombie.signal(signal.SIGCONT)
    await eventually(lambda: zombie.metric("fenced_writes_total"), "the zombie's write is fenced")
    await publish(deployment.kafka, deployment.prefix, late)
    await assert_every_effect_once(deployment, early + late)
    for process in (zombie, successor):
        await eventually(lambda p=process: _is_healthy(p), "the process is healthy")
        await eventually(lambda p=process: p.metric("partitions_owned"), "it owns a share again")
        assert await process.stop() == 0, process.log.read_text()


async def test_an_owner_that_wakes_up_before_anybody_took_over_just_goes_on(
    deployment: Deployment,
) -> None:
    events = messages(EVENTS)
    await publish(deployment.kafka, deployment.prefix, events)
    owner = deployment.start("tests.support.ledger", THROUGHLINE_CRASH_AT="before-commit:1:stop")
    await owner.stopped()

    owner.signal(signal.SIGCONT)

    await assert_every_effect_once(deployment, events)
    assert await owner.metric("fenced_writes_total") == 0
    assert await owner.stop() == 0, owner.log.read_text()


async def _is_healthy(process) -> bool:
    answers = [await process.get(path) for path in ("/health/live", "/health/ready")]
    return all(status == 200 for status, _ in answers)
