"""`throughline dead-letters`: what was given up on, and putting it back.

Putting back changes nothing twice: a record goes to its partition again with its bytes, key and
headers, and whoever applied it before knows its event's id; a request is translated again into
events with the ids they always had.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from services.ingest.domain.channels import ChannelsPolicy
from services.ingest.parse import reparse
from services.ingest.store import keep
from shared.errors import ThroughlineError
from shared.events import Undecodable, decode
from shared.events.dead_letters import DeadLettered
from shared.events.topics import DEAD_LETTER_TOPIC
from shared.ids import KeyedIds
from shared.mongo import Database
from shared.policy import load_policy
from shared.settings import CommonSettings, load_settings
from shared.streams import Publisher
from shared.streams.reader import read_topic
from shared.streams.replay import OriginalRecord, put_back


async def list_all(_options: argparse.Namespace) -> int:
    """Print a line for each dead letter: id, when, where from, how large, what was wrong."""
    letters = await _letters(load_settings(CommonSettings))
    for letter in letters:
        size = len(letter.data.body or b"")
        print(
            f"{letter.id}  {letter.time:%Y-%m-%d %H:%M:%S}  {_origin(letter):40} "
            f"{size:>9} bytes  {letter.data.error}"
        )
    print(f"{len(letters)} dead letters", file=sys.stderr)
    return 0


async def show(options: argparse.Namespace) -> int:
    """Print where one came from and its headers on stderr, its body, byte for byte, on stdout."""
    letters = await _letters(load_settings(CommonSettings))
    (letter,) = _chosen(letters, [options.id])
    about = [f"{_origin(letter)}: {letter.data.error} (version {letter.data.code_version})"]
    about += [f"{header.name}: {header.value!r}" for header in letter.data.headers]
    print("\n".join(about), file=sys.stderr, flush=True)
    sys.stdout.buffer.write(letter.data.body or b"")
    sys.stdout.buffer.flush()
    return 0


async def replay(options: argparse.Namespace) -> int:
    """Put the chosen ones back; status 1 if a request still cannot be translated."""
    settings = load_settings(CommonSettings)
    letters = await _letters(settings)
    chosen = letters if options.all else _chosen(letters, options.ids)
    records = [letter for letter in chosen if letter.data.origin == "record"]
    requests = [letter for letter in chosen if letter.data.origin == "request"]
    # every group that gave a record up left a letter of it; the record itself is one
    originals = dict.fromkeys(_original(letter, settings) for letter in records)
    await put_back(settings.kafka, list(originals))
    translated = await _translate(settings, requests) if requests else 0
    still = len(requests) - translated
    print(f"put back {len(records) + translated} of {len(chosen)} dead letters")
    if still:
        print(f"{still} requests still cannot be translated; they stay", file=sys.stderr)
    return 1 if still else 0


async def _letters(settings: CommonSettings) -> list[DeadLettered]:
    """Return the dead letters, oldest first, each id once."""
    found: dict[str, DeadLettered] = {}
    topic = settings.topic(DEAD_LETTER_TOPIC.name)
    async for record in read_topic(settings.kafka, topic):
        try:
            letter = decode(DEAD_LETTER_TOPIC.name, record.value)
        except Undecodable:
            continue  # not ours; nobody but us writes here
        if isinstance(letter, DeadLettered):
            found.setdefault(letter.id, letter)
    return sorted(found.values(), key=lambda letter: letter.time)


def _chosen(letters: Sequence[DeadLettered], ids: Sequence[str]) -> list[DeadLettered]:
    known = {letter.id: letter for letter in letters}
    if missing := [each for each in ids if each not in known]:
        raise ThroughlineError(
            f"There is no dead letter {missing[0]}.", "`throughline dead-letters list` shows all."
        )
    return [known[each] for each in dict.fromkeys(ids)]


def _origin(letter: DeadLettered) -> str:
    data = letter.data
    if data.origin == "record":
        return f"{data.topic}/{data.partition}@{data.offset} ({data.group})"
    return f"request to {data.provider}/{data.channel_account}"


def _original(letter: DeadLettered, settings: CommonSettings) -> OriginalRecord:
    data = letter.data
    return OriginalRecord(
        settings.topic(data.topic or ""),
        data.partition or 0,
        data.key,
        data.body,
        tuple((header.name, header.value) for header in data.headers),
    )


async def _translate(settings: CommonSettings, requests: Sequence[DeadLettered]) -> int:
    """Translate requests anew and publish what comes out; return how many are whole now."""
    policy = load_policy(Path(settings.policy) / "channels.yaml", ChannelsPolicy).content
    ids = KeyedIds(settings.id_key.get_secret_value())
    database = Database(settings.mongodb, settings.database("ingest"))
    publisher = Publisher(settings.kafka, settings.prefix)
    await publisher.start()
    translated = 0
    try:
        for letter in requests:
            parsed = reparse(letter, policy, ids)
            await keep(database, parsed.blobs)
            await publisher.publish(parsed.events)
            translated += not parsed.broken
    finally:
        await publisher.stop()
        database.close()
    return translated
