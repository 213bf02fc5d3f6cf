"""The widget's script, and a page to try it on; no framework, no CDN, nothing inline."""

import hashlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from services.ingest.chat.account import ChatAccount
from shared.http import ApiError

_STATIC = Path(__file__).parent / "static"
_SCRIPT_HEADERS = {
    # sites name the script without a version, so a new one should reach them within minutes
    "Cache-Control": "public, max-age=600, stale-while-revalidate=86400",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}
_DEMO_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class ChatPages:
    """Serves the widget, and the demo where that is switched on."""

    def __init__(self, accounts: dict[str, ChatAccount], *, demo: bool) -> None:
        self._accounts, self._demo = accounts, demo
        self._script = (_STATIC / "chat.js").read_bytes()
        self._page = (_STATIC / "chat-demo.html").read_text(encoding="utf-8")
        self._tag = f'"{hashlib.sha256(self._script).hexdigest()[:16]}"'

    def routes(self) -> list[BaseRoute]:
        """Return the raw routes."""
        demo = [Route("/chat/{account}/demo", self._demo_page)] if self._demo else []
        return [Route("/chat/widget.js", self._widget), *demo]

    async def _widget(self, request: Request) -> Response:
        headers = _SCRIPT_HEADERS | {"ETag": self._tag}
        if request.headers.get("if-none-match") == self._tag:
            return Response(status_code=304, headers=headers)
        return Response(self._script, headers=headers, media_type="text/javascript")

    async def _demo_page(self, request: Request) -> Response:
        account = request.path_params["account"]
        if account not in self._accounts:  # whose names are plain words, safe in a page
            raise ApiError(
                404, "unknown-channel-account", "There is no such chat.", "See channels.yaml."
            )
        page = self._page.replace("ACCOUNT", account)
        return Response(page, headers=_DEMO_HEADERS, media_type="text/html")
