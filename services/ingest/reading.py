"""Reading a request's body: counted while it streams, with a deadline, whatever it announces."""

import asyncio

from starlette.requests import ClientDisconnect, Request

from services.ingest.domain import limits
from services.ingest.domain.gate import Place
from shared.http import ApiError


def read_headers(request: Request) -> tuple[tuple[str, bytes], ...]:
    """Return the headers as they came, names in lower case, or refuse too many of them.

    A body in an encoding (`gzip` and the like) is refused: no provider of ours sends one, what is
    signed are the bytes as sent, and a bomb is best not unpacked.
    """
    pairs = request.scope["headers"]
    if sum(len(name) + len(value) for name, value in pairs) > limits.HEADERS:
        raise ApiError(
            431, "headers-too-large", "The headers are too large.", "Send less than 16 KiB."
        )
    headers = tuple((name.decode("latin-1").lower(), value) for name, value in pairs)
    if any(name == "content-encoding" and value.lower() != b"identity" for name, value in headers):
        raise ApiError(
            415, "encoded", "The body is compressed.", "Send it as it is, without Content-Encoding."
        )
    return headers


async def read_body(
    request: Request,
    limit: int,
    seconds: float = limits.READ_SECONDS,
    *,
    place: Place,
) -> bytes:
    """Return the body, or refuse one that is larger than `limit` bytes or takes too long.

    It counts in its `place` as it arrives; raises `Busy` when there is no room for more of it.
    """
    chunks = bytearray()
    if _announced_size(request) > limit:
        raise _too_large()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                chunks += chunk
                if len(chunks) > limit:
                    raise _too_large()
                place.hold(len(chunks))
    except TimeoutError:
        raise ApiError(
            408, "too-slow", "The body did not arrive in time.", "Send it within 10 seconds."
        ) from None
    except ClientDisconnect:
        raise ApiError(400, "incomplete", "The body broke off.", "Send it again.") from None
    return bytes(chunks)


def _announced_size(request: Request) -> int:
    """Return the size in bytes that the request announces, 0 if it announces none."""
    announced = request.headers.get("content-length", "")
    return int(announced[:12]) if announced.isascii() and announced.isdigit() else 0


def _too_large() -> ApiError:
    return ApiError(413, "too-large", "The body is too large.", "See the limits in the README.")
