"""Whatever comes to a hook over HTTP: a 4xx of ours, or 200 and everything kept. Never a 5xx."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.ingest.adapters.registry import ADAPTERS
from services.ingest.domain import limits
from tests.support.builders_ingest import ACCOUNTS, FOLDERS, Fakes, signed
from tests.support.ingest_http import HOOKS, client, hook_app, post_raw

BOUNDARY = b"boundary"
BOMBS = {
    "nothing": b"",
    "JSON a thousand deep": b"[" * 1_000,
    "objects a thousand deep": b'{"a":' * 1_000,
    "too many keys": json.dumps({str(n): 0 for n in range(12_000)}).encode(),
    "too many values": b"[" + b"0," * 150_000 + b"0]",
    "a huge number": b"9" * 500_000,
    "an unfinished string": b'"' + b"\\" * 500_000,
    "a form of many fields": b"a=1&" * 100_000,
    "a multipart of many parts": (
        b"--boundary\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n" * 5_000
        + b"--boundary--"
    ),
    "a multipart that never ends": b"--boundary\r\n" + b"a: b\r\n" * 50_000,
    "nested multiparts": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(500)
    ),
    "bytes that are no text": bytes(range(256)) * 500,
}


@pytest.fixture(params=HOOKS)
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def url(provider: str) -> str:
    return f"/hooks/{provider}/{ACCOUNTS[provider].name}"


def headers(provider: str) -> list[tuple[str, bytes]]:
    """Return the headers a provider's plain payload comes with."""
    return list(FOLDERS[provider].headers(FOLDERS[provider].about()["shows"]["message"]))


async def post(provider: str, body: Any, more: Any = ()) -> httpx.Response:
    async with client(Fakes()) as http:
        given = [*headers(provider), *more]
        return await http.post(url(provider), content=body, headers=given)


@pytest.mark.parametrize("what", BOMBS)
async def test_an_unsigned_bomb_is_refused(provider: str, what: str) -> None:
    assert (await post(provider, BOMBS[what])).status_code in (401, 413)


@pytest.mark.parametrize("what", BOMBS)
async def test_a_signed_bomb_is_put_aside_in_time(provider: str, what: str) -> None:
    body = BOMBS[what][: ADAPTERS[provider].max_body]
    try:
        request = signed(provider, body)
    except Exception:
        pytest.skip("this provider's proof cannot be put on such a body")
    fakes = Fakes()
    async with client(fakes) as http:
        answer = await http.post(
            f"{url(provider)}?{request.query}", content=request.body, headers=list(request.headers)
        )
    # a proof that takes the body's form into account may refuse it too
    assert answer.status_code in (200, 401)
    assert not [kind for kind in fakes.types() if "dead-letter" not in kind]


async def test_a_compressed_body_is_not_unpacked(provider: str) -> None:
    bomb = gzip.compress(b"\x00" * 10_000_000)
    assert (await post(provider, bomb, [("content-encoding", b"gzip")])).status_code == 415


async def test_a_body_over_the_limit_is_413(provider: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(ADAPTERS[provider].max_body // limits.MIB + 1):
            yield b" " * limits.MIB

    assert (await post(provider, pieces())).status_code == 413


async def test_announcing_too_much_is_413_before_a_byte_is_read(provider: str) -> None:
    async def receive() -> dict[str, Any]:
        raise AssertionError("the body was read")

    length = str(ADAPTERS[provider].max_body + 1).encode()
    given = [*_raw(provider), (b"content-length", length)]
    assert await post_raw(hook_app(Fakes()), url(provider), given, receive) == 413


async def test_headers_over_the_limit_are_431(provider: str) -> None:
    more = [(f"x-{n}", b"x" * 200) for n in range(100)]
    assert (await post(provider, b"{}", more)).status_code == 431


async def test_another_content_type_is_415_and_none_too(provider: str) -> None:
    async with client(Fakes()) as http:
        for given in ({"content-type": "image/x-none"}, {}, {"content-type": "\xff"}):
            encoded = {name: value.encode("latin-1") for name, value in given.items()}
            answer = await http.post(url(provider), content=b"{}", headers=encoded)
            assert answer.status_code == 415


async def test_a_slow_sender_is_408(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.ingest.reading.read_body.__defaults__", (0.02,))
    stuck = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if stuck.is_set():
            await asyncio.Event().wait()
        stuck.set()
        return {"type": "http.request", "body": b"{", "more_body": True}

    assert await post_raw(hook_app(Fakes()), url(provider), _raw(provider), receive) == 408


async def test_a_sender_that_goes_away_is_400(provider: str) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    assert await post_raw(hook_app(Fakes()), url(provider), _raw(provider), receive) == 400


async def test_a_challenge_with_nonsense_is_never_a_5xx(provider: str) -> None:
    async with client(Fakes()) as http:
        for query in ("", "hub.mode=%ff", "crc_token=" + "a" * 5_000, "a=1&" * 200):
            answer = await http.get(f"{url(provider)}?{query}")
            assert answer.status_code < 500


def _raw(provider: str) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value) for name, value in headers(provider)]
