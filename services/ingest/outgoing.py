"""The one way out: every HTTP request of ingest to others goes through this guard.

The name is resolved, every address is judged, and the connection goes to exactly the address that
was judged, under the original name (Host, SNI and certificate): what the name resolves to a moment
later does not matter. No proxy and no certificate bundle comes from the environment, no cookie is
kept, no connection is used twice. Operators name exceptions in THROUGHLINE_INGEST_OUTGOING_ALLOW.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from urllib.parse import urljoin

import httpx

from services.ingest.domain import limits
from services.ingest.domain.addresses import (
    AddressRefused,
    Target,
    check_target,
    public_addresses,
    target_of,
)
from services.ingest.senders.contract import Answer, Call

Resolve = Callable[[str, int], Awaitable[list[str]]]

_NO_POOL = httpx.Limits(max_connections=100, max_keepalive_connections=0)
_ANSWER = 1 * limits.MIB  # bytes; what a provider says of a message is below 10 KiB
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class NotSent(Exception):
    """The request surely did not arrive: no connection came about."""


class OutcomeUnknown(Exception):
    """The request went out, at least in part, and nobody knows what became of it."""


class FetchFailed(Exception):
    """A file could not be fetched; the message says why."""


async def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a name, in the order the system prefers."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[4][0]) for address in found]


class Guard:
    """Judges where a request may go, and says to which address.

    `exempt` are `host:port` that operators trust; `resolve` stands in for DNS in tests.
    """

    def __init__(self, exempt: Iterable[str] = (), resolve: Resolve = resolve) -> None:
        self._exempt = frozenset(place.strip().lower() for place in exempt if place.strip())
        self._resolve = resolve

    def only(self, *places: str) -> "Guard":
        """Return a guard with those of the operators' exceptions alone that are named here."""
        return Guard(self._exempt & set(places), self._resolve)

    def strict(self, api_url: str | None) -> "Guard":
        """Return a guard for addresses that came from outside: no exception holds for them.

        Only the one for `api_url` does, the base that an operator gave for the provider's own.
        Raises `AddressRefused` where that is no URL.
        """
        return self.only(target_of(api_url).place) if api_url else self.only()

    def is_exempt(self, target: Target) -> bool:
        """Say whether an operator trusts this place."""
        return target.place in self._exempt

    async def address_of(self, target: Target, hosts: Iterable[str] | None = None) -> str:
        """Return the address to connect to; raise `AddressRefused`, or OSError if DNS fails."""
        judge = check_target(target, hosts, self._exempt)
        return await self._first(target, judge=judge)

    async def public_address_of(self, target: Target) -> str:
        """Return the address of any port of a public host or of an exempt one, as for SMTP."""
        return await self._first(target, judge=not self.is_exempt(target))

    async def _first(self, target: Target, *, judge: bool) -> str:
        resolved = await self._resolve(target.host, target.port)
        if judge:
            return public_addresses(resolved)[0]
        if not resolved:
            raise OSError("no address")
        return resolved[0]


class GuardedTransport(httpx.AsyncBaseTransport):
    """An httpx transport that connects only where the guard says; `hosts` as in `check_target`."""

    def __init__(
        self,
        guard: Guard,
        hosts: Iterable[str] | None = None,
        inner: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._guard = guard
        self._hosts = frozenset(hosts) if hosts is not None else None
        self._inner = inner or httpx.AsyncHTTPTransport(trust_env=False, limits=_NO_POOL)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to the judged address under its original name."""
        target = target_of(str(request.url))
        address = await self._guard.address_of(target, self._hosts)
        pinned = httpx.Request(
            request.method,
            request.url.copy_with(host=address),
            headers=request.headers,  # Host is among them, with the original name
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": target.host},
        )
        return await self._inner.handle_async_request(pinned)

    async def aclose(self) -> None:
        """Close what is open."""
        await self._inner.aclose()


def _client(guard: Guard, hosts: Iterable[str] | None) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=GuardedTransport(guard, hosts),
        timeout=httpx.Timeout(limits.OUTGOING_SECONDS, connect=limits.OUTGOING_CONNECT_SECONDS),
        headers={"accept-encoding": "identity", "user-agent": "Throughline"},
        follow_redirects=False,
        trust_env=False,
    )


async def call(
    guard: Guard, request: Call, hosts: Iterable[str], *, limit: int = _ANSWER
) -> Answer:
    """Make one call to a provider and return its answer of `limit` bytes, whatever its status.

    Raises `NotSent` when it surely did not arrive, `OutcomeUnknown` when nobody knows, and
    `AddressRefused` when it may not go there. A redirect is an answer like any other.
    """
    target_of(request.url)  # judged as it is written, before any other parser sees it
    began = False

    async def body() -> AsyncIterator[bytes]:
        nonlocal began
        began = True
        yield request.body

    headers = {**request.headers, "content-length": str(len(request.body))}
    try:
        async with asyncio.timeout(limits.OUTGOING_SECONDS), _client(guard, hosts) as client:
            made = client.build_request(
                request.method, request.url, headers=headers, content=body()
            )
            answer = await client.send(made, stream=True)
            try:
                content = await _read(answer, limit)
            finally:
                await answer.aclose()
    except httpx.InvalidURL:
        raise AddressRefused("the address is not a plain https URL") from None
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, socket.gaierror) as error:
        raise NotSent(type(error).__name__) from None
    except (httpx.HTTPError, OSError, TimeoutError, FetchFailed) as error:
        # the body is asked for once the connection stands and the headers are on their way
        failure = OutcomeUnknown if began else NotSent
        raise failure(type(error).__name__) from None
    return Answer(answer.status_code, content, dict(answer.headers))


async def fetch(
    guard: Guard,
    url: str,
    *,
    hosts: Iterable[str] | None = None,
    headers: Mapping[str, str] | None = None,
    limit: int = limits.FETCHED,
    api_url: str | None = None,
) -> tuple[str, bytes]:
    """Fetch a file; return its media type and bytes.

    Its address came from outside, so it is judged strictly (`Guard.strict`). Follows two redirects
    at most, each judged afresh, and gives `headers` (credentials) to the first host only. Raises
    `FetchFailed`.
    """
    try:
        strict = guard.strict(api_url)
        async with asyncio.timeout(limits.FETCH_SECONDS), _client(strict, hosts) as client:
            return await _follow(client, url, dict(headers or {}), limit)
    except AddressRefused as error:
        raise FetchFailed(str(error)) from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
        raise FetchFailed(f"it cannot be fetched ({type(error).__name__})") from None


async def _follow(
    client: httpx.AsyncClient, url: str, headers: dict[str, str], limit: int
) -> tuple[str, bytes]:
    first = target_of(url)
    for _ in range(1 + limits.FETCH_REDIRECTS):
        given = headers if target_of(url) == first else {}
        async with client.stream("GET", url, headers=given) as answer:
            if answer.status_code in _REDIRECTS:
                url = urljoin(url, answer.headers.get("location", ""))
                continue
            if answer.status_code != 200:
                raise FetchFailed(f"its host answers HTTP {answer.status_code}")
            media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            return media_type or "application/octet-stream", await _read(answer, limit)
    raise FetchFailed("it is redirected too often")


async def _read(answer: httpx.Response, limit: int) -> bytes:
    """Read a body as it comes, counted: it was asked for unpacked, so that no bomb can open."""
    if answer.headers.get("content-encoding", "identity").lower() != "identity":
        raise FetchFailed("it came packed though nobody asked for that")
    content = bytearray()
    async for piece in answer.aiter_raw(64 * 1024):
        content += piece
        if len(content) > limit:
            raise FetchFailed("it is too large")
    return bytes(content)
