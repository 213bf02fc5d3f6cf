"""The stream layer with a handler that only validates, against a bare loop that does the same."""

from collections.abc import Sequence
from typing import Any

from shared.events import decode
from shared.streams import Effects, Processor
from tests.benchmarks.engine import Place, time_bare, time_processor
from tests.benchmarks.loads import Load, messages, publish
from tests.benchmarks.report import Figure, figure

LOAD = Load(events=60_000, conversations=2_000)
_NOTHING = Processor("bench", ("contact-events",), lambda *_: (), lambda *_: Effects(), rounds=1)


async def run(place: Place, rounds: int) -> list[Figure]:
    """Measure and return the figure."""
    await publish(place.kafka, place.prefix, messages(LOAD))
    ratios = []
    for number in range(rounds):
        bare = await time_bare(place, "contact-events", LOAD.events, f"bare-v{number}", _validate)
        ours = await time_processor(place, _NOTHING, LOAD.events, f"ours-v{number}", ())
        ratios.append(bare / ours)
        print(
            f"  round {number + 1}: bare {LOAD.events / bare:,.0f}/s, "
            f"stream layer {LOAD.events / ours:,.0f}/s, ratio {bare / ours:.2f}"
        )
    return [
        figure(
            "stream_layer_validating",
            ratios,
            unit="×",
            target=0.90,
            direction="min",
            against="aiokafka getmany + the same validation + one commit per batch",
        )
    ]


async def _validate(records: Sequence[Any]) -> None:
    for record in records:
        decode("contact-events", record.value)
