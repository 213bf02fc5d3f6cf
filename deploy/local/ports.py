"""Free TCP ports on 127.0.0.1."""

import secrets
import socket
from pathlib import Path

_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 20_000
_EPHEMERAL_START_ELSEWHERE = 32_768


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on, below the range of outgoing connections.

    Outgoing connections take their own port from the ephemeral range. A server there could not
    come back on its port after a restart: some connection may have been given it meanwhile, even
    a client's that tries to reach the stopped server and ends up talking to itself.
    """
    while True:
        port = secrets.SystemRandom().randrange(_LOWEST, _first_ephemeral_port())
        if _is_free(port):
            return port


def free_ports(count: int) -> list[int]:
    """`count` different free ports."""
    ports: set[int] = set()
    while len(ports) < count:
        ports.add(free_port())
    return sorted(ports)


def _first_ephemeral_port() -> int:
    try:
        first = int(_EPHEMERAL_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        first = _EPHEMERAL_START_ELSEWHERE
    return first if first > _LOWEST + 1_000 else 65_536


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
