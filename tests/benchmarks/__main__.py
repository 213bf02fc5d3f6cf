"""`make bench`: every figure to build/bench/NAME.json, and one table of them at the end."""

import argparse
import sys
import uuid
from collections.abc import Awaitable, Callable

import uvloop

from deploy.local.stack import Stack
from shared.observability import configure_logging
from shared.streams.admin import create_topics
from tests.benchmarks import report, services, stream_layer
from tests.benchmarks.engine import Place

Benchmark = Callable[[Place, int], Awaitable[list[report.Figure]]]
BENCHMARKS: dict[str, Benchmark] = {
    "stream_layer": stream_layer.run,
    "profile": services.run_profile,
    "routing": services.run_routing,
    "sla": services.run_sla,
}


def main() -> int:
    """Run all benchmarks, or those named; status 1 if one could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help="which ones (all)")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds of each (5)")
    options = parser.parse_args()
    configure_logging("bench", "error")
    figures: list[report.Figure] = []
    with Stack() as stack:
        for name in options.names or BENCHMARKS:
            place = Place(stack.kafka_bootstrap, stack.mongodb_uri, f"b{uuid.uuid4().hex[:6]}-")
            print(f"{name}:", flush=True)
            found = uvloop.run(_one(BENCHMARKS[name], place, options.rounds))
            for figure in found:
                report.write(figure)
            figures += found
    print()
    print(report.table(figures))
    return 0


async def _one(benchmark: Benchmark, place: Place, rounds: int) -> list[report.Figure]:
    await create_topics(place.kafka, place.prefix, replication=1)
    return await benchmark(place, rounds)


if __name__ == "__main__":
    sys.exit(main())
