"""Compares the contracts with every released version, so that nothing released is ever broken.

`python -m deploy.compatibility` names each breaking change in a sentence and ends with status 1;
`--release VERSION` writes down the present contracts as released. Once written a release stays.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.schema_changes import breaking_changes
from shared.contracts.schemas import as_json, event_types, schema
from shared.errors import ThroughlineError
from shared.events import OpaqueEvent, Undecodable, decode
from shared.events.topics import HOME, TOPICS

ROOT = Path(__file__).resolve().parents[1]
RELEASED = "docs/released"
_EXAMPLES = Path("shared/events/examples")


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Check all releases, or write a new one, under `root`; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.compatibility", description=__doc__)
    parser.add_argument("--release", metavar="VERSION", help="write down the present contracts")
    version = parser.parse_args(arguments).release
    if version is not None:
        try:
            release(root / RELEASED / version)
        except ThroughlineError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        return 0
    broken = [
        f"{folder.name}: {sentence}"
        for folder in releases(root)
        for sentence in broken_promises(folder)
    ]
    for line in broken:
        sys.stderr.write(f"breaks {line}\n")
    return 1 if broken else 0


def releases(root: Path) -> list[Path]:
    """Return the folder of every release."""
    return sorted(path for path in (root / RELEASED).iterdir() if path.is_dir())


def release(folder: Path) -> None:
    """Write the present contracts into a folder of their own."""
    if folder.exists():
        raise ThroughlineError(
            f"{folder.name} is released already.", "Give the next version; a release never changes."
        )
    for part in ("schemas", "examples"):
        (folder / part).mkdir(parents=True)
    for kind in event_types():
        path = folder / "schemas" / f"{kind.wire_type}.json"
        path.write_text(as_json(schema(kind)), encoding="utf-8")
    for example in sorted((ROOT / _EXAMPLES).glob("*.json")):
        (folder / "examples" / example.name).write_bytes(example.read_bytes())
    (folder / "topics.json").write_text(as_json(present_topics()), encoding="utf-8")


def present_topics() -> dict[str, Any]:
    """Return what of the topic catalogue others rely on."""
    return {
        "topics": {t.name: {"key": t.key, "partitions": t.partitions} for t in TOPICS},
        "events": {name: topic.name for name, topic in HOME.items()},
    }


def broken_promises(folder: Path) -> list[str]:
    """Return a sentence for each thing of a release that holds no more."""
    released = json.loads((folder / "topics.json").read_text(encoding="utf-8"))
    return [
        *topic_changes(released, present_topics()),
        *_schema_changes(folder / "schemas"),
        *_undecodable(folder / "examples"),
    ]


def topic_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Yield what breaks between two topic catalogues."""
    for name, topic in old["topics"].items():
        now = new["topics"].get(name)
        if now is None:
            yield f"the topic {name} is gone."
            continue
        if now["key"] != topic["key"]:
            yield f"{name} is keyed by {now['key']} instead of {topic['key']}."
        if now["partitions"] != topic["partitions"]:
            yield f"{name} has {now['partitions']} partitions, so keys lie elsewhere than before."
    for wire_type, home in old["events"].items():
        now = new["events"].get(wire_type)
        if now is None:
            yield f"the type {wire_type} is gone."
        elif now != home:
            yield f"{wire_type} travels on {now} instead of {home}."


def _schema_changes(folder: Path) -> Iterator[str]:
    present = {kind.wire_type: kind for kind in event_types()}
    for path in sorted(folder.glob("*.json")):
        kind = present.get(path.stem)
        if kind is not None:  # one that is gone is told by its topic
            old = json.loads(path.read_text(encoding="utf-8"))
            yield from (f"{path.stem}: {said}" for said in breaking_changes(old, schema(kind)))


def _undecodable(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("*.json")):
        value = path.read_bytes()
        home = HOME.get(json.loads(value)["type"])
        try:
            event = decode(home.name, value) if home is not None else None
        except Undecodable as error:
            yield f"the example {path.stem} does not decode any more ({error})."
            continue
        if event is None or isinstance(event, OpaqueEvent):
            yield f"the example {path.stem} is of no known type any more."


if __name__ == "__main__":
    sys.exit(main())
