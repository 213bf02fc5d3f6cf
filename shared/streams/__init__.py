"""The processing guarantee: state, outgoing events and the input position commit together.

Service authors need `Processor`, `Effects`, `State`, `Find`, `Received`, `TimerDue` (see
`effects.py`) and `Publisher`; everything else in here is how the guarantee is kept.
"""

from shared.streams.effects import (
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

__all__ = [
    "Decide",
    "Document",
    "Effects",
    "Find",
    "Incoming",
    "Needs",
    "Processor",
    "Received",
    "State",
    "TimerDue",
]
