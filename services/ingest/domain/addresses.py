"""Which addresses on the network a request of ours may go to: public ones, and named exceptions.

A URL that came from outside, or from a file an operator wrote, must not lead into our own network.
So it is judged twice: as written (one strict grammar, no second opinion from another parser), and
by every address its name resolves to at the moment of connecting.
Source: IANA's special-purpose address registries (RFC 6890 and its successors).
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?:[/?#][!-\[\]-~]*)?",
    re.IGNORECASE | re.ASCII,
)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_UNWRITTEN = re.compile(r"[\s\x00-\x1f\x7f\\]")
_LONGEST = 2_048

# 192.0.0/24 protocol assignments, 192.88.99/24 6to4 relays, 198.18/15 benchmarks, 168.63.129.16
# the platform service of one cloud on a public address; 2000::/3 is all that is public in IPv6
_REFUSED_V4 = tuple(
    ipaddress.IPv4Network(written)
    for written in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
# 2001::/23 Teredo, ORCHID and others, 2001:db8::/32 and 3fff::/20 documentation, 2002::/16 6to4
_REFUSED_V6 = tuple(
    ipaddress.IPv6Network(written)
    for written in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "2620:4f:8000::/48")
)


class AddressRefused(Exception):
    """A request may not go there; the message says why, without the address."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads: scheme, host in lower case (an IPv6 one without brackets) and port."""

    scheme: str
    host: str
    port: int

    @property
    def place(self) -> str:
        """Return it as `host:port`, the form in which exceptions are written."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def target_of(url: str) -> Target:
    """Return where a URL leads, or raise `AddressRefused` for one that is not plainly written."""
    found = _URL.fullmatch(url) if len(url) <= _LONGEST else None
    if found is None:
        raise AddressRefused("the address is not a plain https URL")
    scheme = found["scheme"].lower()
    port = int(found["port"]) if found["port"] else {"http": 80, "https": 443}[scheme]
    if not 0 < port < 65_536:
        raise AddressRefused("the port is impossible")
    return Target(scheme, found["host"].lower().strip("[]"), port)


def check_target(target: Target, hosts: Iterable[str] | None, exempt: Iterable[str]) -> bool:
    """Judge a target as written; return whether its resolved addresses are to be judged, too.

    `hosts` are the only ones allowed, None for any; `exempt` are those an operator trusts, as
    `host:port`. Everywhere else only https on its own port and a real name will do: a certificate
    for a bare address is as good as unheard of, and 0x7f.1 is one in disguise.
    """
    if hosts is not None and target.host not in hosts:
        raise AddressRefused("the host is not one of the provider's")
    if target.place in exempt:
        return False
    if target.scheme != "https":
        raise AddressRefused("only https is allowed")
    if target.port != 443:
        raise AddressRefused("only port 443 is allowed")
    labels = target.host.split(".")
    named = len(labels) > 1 and all(_LABEL.fullmatch(label) for label in labels)
    if not named or _NUMBER.fullmatch(labels[-1]):
        raise AddressRefused("the host is not a full name")
    return True


def check_file(url: str, *, by_us: bool) -> None:
    """Judge the address of a file that goes out, as written; raise `AddressRefused`.

    `by_us` says that we fetch it: then no exception holds, and all that `check_target` refuses
    would fail later. A provider that fetches it takes more, but never an address that is no URL,
    or whose host is a bare address or no full name.
    """
    if by_us:
        check_target(target_of(url), None, ())
        return
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port == 0 or _UNWRITTEN.search(url):
        raise AddressRefused("the address is no URL")
    labels = host.rstrip(".").split(".")
    if ":" in host or len(labels) < 2 or _NUMBER.fullmatch(labels[-1]):
        raise AddressRefused("the host is not a full name")


def is_public(address: str) -> bool:
    """Say whether a resolved address belongs to the public internet and to one host."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:  # a scoped address (fe80::1%eth0) among others
        return False
    if isinstance(parsed, ipaddress.IPv4Address):
        return not any(parsed in network for network in _REFUSED_V4)
    if parsed.scope_id is not None or parsed not in _PUBLIC_V6:
        return False
    return not any(parsed in network for network in _REFUSED_V6)


def public_addresses(resolved: Iterable[str]) -> tuple[str, ...]:
    """Return the addresses a name resolved to, or raise `AddressRefused` if any is not public.

    One bad answer among good ones is refused whole: it is either an attack or a mistake.
    """
    addresses = tuple(resolved)
    if not addresses or not all(is_public(address) for address in addresses):
        raise AddressRefused("the name leads to an address that is not public")
    return addresses
