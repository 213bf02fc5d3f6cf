"""A plain webhook receiver, as most people would write one: FastAPI and `send_and_wait`."""

import hashlib
import hmac
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from fastapi import FastAPI, HTTPException, Request
from pydantic import BaseModel


class Message(BaseModel):
    """What the receiver keeps of a message."""

    id: str
    sender: str
    text: str


class Published(BaseModel):
    """What goes to Kafka."""

    messages: list[Message]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.producer = AIOKafkaProducer(bootstrap_servers=os.environ["PLAIN_KAFKA"], acks="all")
    await app.state.producer.start()
    yield
    await app.state.producer.stop()


app = FastAPI(lifespan=_lifespan)


@app.post("/hooks/whatsapp/main")
async def receive(request: Request) -> dict[str, str]:
    """Check the signature, pick the messages, send them, wait for Kafka."""
    body = await request.body()
    secret = os.environ["WHATSAPP_APP_SECRET"].encode()
    expected = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, request.headers.get("x-hub-signature-256", "")):
        raise HTTPException(401)
    payload = await request.json()
    messages = [
        Message(id=message["id"], sender=message["from"], text=message["text"]["body"])
        for entry in payload["entry"]
        for change in entry["changes"]
        for message in change["value"]["messages"]
    ]
    for message in messages:
        await app.state.producer.send_and_wait(
            os.environ["PLAIN_TOPIC"],
            Published(messages=[message]).model_dump_json().encode(),
            key=message.sender.encode(),
        )
    return {}
