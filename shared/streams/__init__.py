"""The processing guarantee: state, outgoing events and the input position commit together.

Service authors need `Processor`, `Effects`, `State`, `Find`, `Received`, `TimerDue` (see
`effects.py`) and `Publisher`; everything else in here is how the guarantee is kept.
"""

from shared.streams.consumer import Consumer
from shared.streams.effects import (
    CALM,
    Decide,
    Document,
    Effects,
    Find,
    Incoming,
    Needs,
    Processor,
    Received,
    State,
    TimerDue,
)
from shared.streams.foreign import ForeignRecord, Refused
from shared.streams.publisher import EventTooLarge, Publisher
from shared.streams.scope import Scope
from shared.streams.store import STREAM_COLLECTIONS
from shared.streams.worker import Worker

__all__ = [
    "CALM",
    "STREAM_COLLECTIONS",
    "Consumer",
    "Decide",
    "Document",
    "Effects",
    "EventTooLarge",
    "Find",
    "ForeignRecord",
    "Incoming",
    "Needs",
    "Processor",
    "Publisher",
    "Received",
    "Refused",
    "Scope",
    "State",
    "TimerDue",
    "Worker",
]
