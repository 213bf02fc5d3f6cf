"""The contracts: every event that travels, the topics it travels on, and the codec."""

from shared.events.codec import Undecodable, decode, encode
from shared.events.envelope import About, Event, OpaqueEvent

__all__ = ["About", "Event", "OpaqueEvent", "Undecodable", "decode", "encode"]
