"""The operations port: is this process alive, is it ready, and what did it count."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from shared.observability import Health, Metrics


def ops_app(health: Health, counted: Metrics) -> Starlette:
    """Return the operations port's application."""

    async def live(_request: Request) -> Response:
        why = health.why_not_live()
        return PlainTextResponse(why or "live", status_code=503 if why else 200)

    async def ready(_request: Request) -> Response:
        why = health.why_not_ready()
        return PlainTextResponse(why or "ready", status_code=503 if why else 200)

    async def metrics(_request: Request) -> Response:
        return Response(counted.render(), media_type="text/plain; version=0.0.4")

    return Starlette(
        routes=[
            Route("/health/live", live),
            Route("/health/ready", ready),
            Route("/metrics", metrics),
        ]
    )
