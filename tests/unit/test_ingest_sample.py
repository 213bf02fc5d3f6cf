"""The sample customer: what `deploy/sample/send.py` sends is taken, signed as providers sign."""

import asyncio
import socket

import uvicorn

from deploy.sample.send import send_sample
from services.ingest.api import EventsApi
from services.ingest.app import create_http
from services.ingest.domain.gate import Gate
from services.ingest.smtp import MailHandler, mail_server
from services.ingest.webhooks import Webhooks
from tests.support.builders_ingest import API_KEY, DOORS, PUBLIC_URL, Fakes, api_keys


async def test_ana_is_heard_on_three_channels_and_known_to_the_shop() -> None:
    fakes = Fakes()
    intake = fakes.intake()
    app = create_http(Webhooks(DOORS, intake, Gate()), EventsApi(api_keys(), intake, Gate()))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    async with mail_server(MailHandler(DOORS, intake), "127.0.0.1", 0, "ingest") as smtp:
        await asyncio.to_thread(
            send_sample,
            f"http://127.0.0.1:{listener.getsockname()[1]}",
            "127.0.0.1",
            smtp.sockets[0].getsockname()[1],
            whatsapp_app_secret="app-secret",
            twilio_auth_token="auth-token",
            twilio_public_url=PUBLIC_URL,
            api_key=API_KEY,
        )
    server.should_exit = True
    await serving
    record, mail, whatsapp, sms = fakes.publisher.events
    assert record.data.contact_points == ("email:ana.kovac@example.si", "tel:+38640123456")
    assert mail.data.contact_points == ("email:ana.kovac@example.si",)
    assert whatsapp.data.contact_points == (
        "whatsapp:p1/SI.1349120865530274",
        "tel:+38640123456",
    )
    assert sms.data.contact_points == ("tel:+38640123456",)
    assert [event.data.channel for event in (mail, whatsapp, sms)] == ["email", "messaging", "sms"]
