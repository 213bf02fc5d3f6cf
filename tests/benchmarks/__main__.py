"""`make bench`: every figure to build/bench/NAME.json, and one table of them at the end."""

import argparse
import cProfile
import gc
import pstats
import sys
import uuid
from collections.abc import Awaitable, Callable

import uvloop

from deploy.local.stack import Stack
from shared.observability import configure_logging
from shared.streams.admin import create_topics
from tests.benchmarks import (
    adapters,
    chat_sockets,
    latency,
    report,
    services,
    stream_layer,
    webhooks,
)
from tests.benchmarks.engine import Place

Benchmark = Callable[[Place, int], Awaitable[list[report.Figure]]]
LOOPS: dict[str, Benchmark] = {
    "stream_layer": stream_layer.run,
    "profile": services.run_profile,
    "routing": services.run_routing,
    "sla": services.run_sla,
    "webhooks": webhooks.run,
    "adapters": adapters.run,
    "chat_sockets": chat_sockets.run,
}
NAMES = (*LOOPS, "latency")


def main() -> int:
    """Run all benchmarks, or those named; print a table of the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)} (all)")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds of each (5)")
    parser.add_argument(
        "--profile",
        action="store_true",
        help="write build/bench/NAME.profile.txt instead of figures",
    )
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(NAMES)}")
    configure_logging("bench", "error")
    _collect_rarely()
    figures: list[report.Figure] = []
    with Stack() as stack:
        for name in options.names or NAMES:
            print(f"{name}:", flush=True)
            if options.profile:
                _profile(name, stack)
                continue
            found = uvloop.run(_measure(name, stack, options.rounds))
            for figure in found:
                report.write(figure)
            figures += found
    if figures:
        print()
        print(report.table(figures))
    return 0


async def _measure(name: str, stack: Stack, rounds: int) -> list[report.Figure]:
    if name == "latency":
        return await latency.run(stack, rounds)
    place = Place(stack.kafka_bootstrap, stack.mongodb_uri, f"b{uuid.uuid4().hex[:6]}-")
    await create_topics(place.kafka, place.prefix, replication=1)
    return await LOOPS[name](place, rounds)


def _profile(name: str, stack: Stack) -> None:
    """Say where the time of one round goes, floor and service alike, by function."""
    profiler = cProfile.Profile()
    profiler.enable()
    uvloop.run(_measure(name, stack, 1))
    profiler.disable()
    report.FOLDER.mkdir(parents=True, exist_ok=True)
    path = report.FOLDER / f"{name}.profile.txt"
    with path.open("w") as sink:
        pstats.Stats(profiler, stream=sink).sort_stats("tottime").print_stats(60)
    print(f"  {path}")


def _collect_rarely() -> None:
    """Collect garbage as the services do, for them and for the bare loops alike."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


if __name__ == "__main__":
    sys.exit(main())
