"""`throughline dead-letters`: what was given up on, and putting it back.

Putting back changes nothing twice: a record goes to its topic again with its bytes, key and
headers, and whoever applied it before knows its event's id; a request is translated again into
events with the ids they always had.
"""

import argparse
import sys
from collections.abc import AsyncIterator

from aiokafka.record.util import calc_crc32c_py as _crc

from shared.errors import ThroughlineError
from shared.events import decode
from shared.events.dead_letters import DeadLettered
from shared.events.topics import DEAD_LETTER_TOPIC
from shared.settings import CommonSettings, load_settings
from shared.streams.reader import read_topic
