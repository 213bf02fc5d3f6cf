"""How credentials are written in a request to a provider."""

import base64


def basic(name: bytes, password: bytes) -> str:
    """Return the value of `Authorization` for basic authentication (RFC 7617)."""
    return "Basic " + base64.b64encode(name + b":" + password).decode()
