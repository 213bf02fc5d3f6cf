"""One customer on three channels: sends Ana's e-mail, WhatsApp message and SMS to an ingest.

Standard library only, signed as the providers sign. Ana and her addresses are invented.
"""

import base64
import hashlib
import hmac
import json
import math
import smtplib
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

FOLDER = Path(__file__).parent
_TIMEOUT = 20.0  # seconds; ingest answers within 10 even when Kafka does not


def send_sample(
    ingest_url: str,
    smtp_host: str,
    smtp_port: int,
    *,
    whatsapp_app_secret: str,
    twilio_auth_token: str,
    twilio_public_url: str,
    api_key: str,
    run: str = "1",
) -> None:
    """Send the customer record, the e-mail, the WhatsApp message and the SMS, in that order.

    `ingest_url` is such as `http://127.0.0.1:8080`; `twilio_public_url` is the one in
    `channels.yaml`. Another `run` gives the messages other ids, so that they count as new ones.
    Raises `urllib.error.HTTPError` or `smtplib.SMTPException` when something is not taken.
    """
    send_customer_record(ingest_url, api_key, run)
    send_email(smtp_host, smtp_port, run)
    send_whatsapp(ingest_url, whatsapp_app_secret, run)
    send_sms(ingest_url, twilio_auth_token, twilio_public_url, run)


def send_customer_record(ingest_url: str, api_key: str, run: str = "1") -> None:
    """Send what the shop knows: Ana's e-mail address and her number are one person's."""
    event = json.loads(_sample("customer-record.json"))
    event["id"] = f"{event['id']}-{run}"
    _post(
        f"{ingest_url}/v1/events",
        json.dumps(event).encode(),
        {
            "Content-Type": "application/cloudevents+json",
            "Authorization": f"Bearer {api_key}",
        },
    )


def send_email(smtp_host: str, smtp_port: int, run: str = "1") -> None:
    """Send Ana's e-mail to support@example.com."""
    mail = _sample("email.eml").replace("ana-1@", f"ana-{run}@")
    with smtplib.SMTP(smtp_host, smtp_port, timeout=_TIMEOUT) as relay:
        relay.sendmail("ana.kovac@example.si", ["support@example.com"], mail.encode())


def send_whatsapp(
    ingest_url: str, app_secret: str, run: str = "1", sent_at: int | None = None
) -> None:
    """Send Ana's WhatsApp message; `sent_at` is Unix time in seconds, None for now."""
    payload = json.loads(_sample("whatsapp.json"))
    message = payload["entry"][0]["changes"][0]["value"]["messages"][0]
    message["id"] = f"{message['id']}.{run}"
    # Meta tells whole seconds: rounded up, so that it does not seem older than the e-mail before
    # it (a time after arrival counts as the arrival)
    message["timestamp"] = str(math.ceil(time.time()) if sent_at is None else sent_at)
    body = json.dumps(payload).encode()
    signature = hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()
    _post(
        f"{ingest_url}/hooks/whatsapp/main",
        body,
        {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signature}"},
    )


def send_sms(ingest_url: str, auth_token: str, public_url: str, run: str = "1") -> None:
    """Send Ana's SMS as Twilio does; what is signed is `public_url`, not where it goes."""
    fields = dict(parse_qsl(_sample("sms.form").strip(), keep_blank_values=True))
    for name in ("MessageSid", "SmsSid", "SmsMessageSid"):
        fields[name] = f"{fields[name]}{run}"
    signed = public_url + "".join(name + fields[name] for name in sorted(fields))
    digest = hmac.new(auth_token.encode(), signed.encode(), hashlib.sha1).digest()
    _post(
        f"{ingest_url}/hooks/twilio/main",
        urlencode(fields).encode(),
        {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Twilio-Signature": base64.b64encode(digest).decode(),
        },
    )


def _sample(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _post(url: str, body: bytes, headers: Mapping[str, str]) -> None:
    request = urllib.request.Request(url, body, dict(headers), method="POST")
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
        answer.read()
