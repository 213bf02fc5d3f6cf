"""`throughline up`: the whole system on this machine, with sample traffic, until Ctrl-C."""

import asyncio
import hashlib
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Self

from deploy.local.ports import free_port
from deploy.local.process import LocalServerError, ServerProcess
from deploy.local.stack import Stack
from deploy.sample.mailbox import Mailbox
from deploy.sample.story import Places, tell
from shared.errors import ThroughlineError
from shared.streams.admin import create_topics

SERVICES = ("ingest", "routing", "sla", "profile")
_PORTS = {
    "THROUGHLINE_INGEST_PORT": 8080,
    "THROUGHLINE_ROUTING_PORT": 8081,
    "THROUGHLINE_SLA_PORT": 8082,
    "THROUGHLINE_PROFILE_PORT": 8083,
    "THROUGHLINE_INGEST_OPS_PORT": 9080,
    "THROUGHLINE_ROUTING_OPS_PORT": 9081,
    "THROUGHLINE_SLA_OPS_PORT": 9082,
    "THROUGHLINE_PROFILE_OPS_PORT": 9083,
    "THROUGHLINE_INGEST_SMTP_PORT": 8025,
}
_START_DEADLINE = 60.0  # seconds; the four start together in about five on two cores
_STOP_GRACE = 30.0  # seconds; a service drains for at most 20
_POLICY = Path(__file__).parent / "policy"
_SAMPLE = Path(__file__).parent / "sample"


def up(*, smoke: bool, sample: bool) -> int:
    """Start everything, tell the sample's story, wait; return the exit status."""
    signal.signal(signal.SIGTERM, _interrupt)
    started = time.monotonic()
    try:
        with Stack(say=_say) as stack, LocalRun(stack) as run:
            run.start()
            if sample or smoke:
                page = tell(run.places(), run.secrets, _say, run.mailbox)
                _say(f"the timeline is right, {time.monotonic() - started:.1f} s after the start")
                _say(f"Ana's timeline: {page}")
            _say(f"web chat to try: {run.places().ingest}/chat/main/demo")
            if not smoke:
                _say(f"customers: {run.places().profile}/customers — Ctrl-C stops everything")
                run.wait()
    except KeyboardInterrupt:
        _say("everything has stopped")
    except (LocalServerError, urllib.error.URLError) as error:
        raise ThroughlineError(str(error), "The services' logs say more.") from None
    return 0


@dataclass
class LocalRun:
    """The four services as processes, on their usual ports or on free ones.

    `prefix` keeps topics, groups and databases apart from others on the same servers;
    `edit_policy` may change this run's copy of the policy folder.
    """

    stack: Stack
    prefix: str = ""
    edit_policy: Callable[[Path], None] = lambda _folder: None
    secrets: dict[str, str] = field(default_factory=lambda: _fresh_secrets(), repr=False)
    mailbox: Mailbox = field(default_factory=Mailbox, repr=False)
    _ports: dict[str, int] = field(default_factory=dict)
    _services: dict[str, ServerProcess] = field(default_factory=dict)
    _folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="throughline-run-")))

    def __enter__(self) -> Self:
        self.mailbox.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for service in self._services.values():
            service.ask_to_stop()
        for service in self._services.values():
            service.stop(_STOP_GRACE)
        self.mailbox.__exit__()
        failed = kind is not None and kind is not KeyboardInterrupt
        if not failed:
            shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Make topics and policy, start the services, return when all are ready."""
        if self.stack.supports_admin:
            asyncio.run(create_topics(self.stack.kafka_bootstrap, self.prefix, replication=1))
        self._ports = {name: _port(usual) for name, usual in _PORTS.items()}
        environment = {**os.environ, **self._environment()}
        _say(f"starting {', '.join(SERVICES)} (logs in {self._folder}) …")
        since = time.monotonic()
        for name in SERVICES:
            argv = [sys.executable, "-m", "deploy.cli", name]
            log = self._folder / f"{name}.log"
            self._services[name] = ServerProcess(name, argv, log, environment)
        for name in SERVICES:
            self._services[name].wait_until(
                partial(_answers, f"{self.ops(name)}/health/ready"), _START_DEADLINE
            )
            _say(f"  {name} ready, {time.monotonic() - since:.1f} s")

    def _environment(self) -> dict[str, str]:
        policy = self._folder / "policy"
        shutil.copytree(_POLICY, policy)
        shutil.copy(_SAMPLE / "charter.yaml", policy / "charter.yaml")
        with (policy / "channels.yaml").open("r+") as channels:
            written = channels.read()
            channels.seek(0)
            channels.write(_with_ways_out(written, self.mailbox.port, self.places().ingest))
        self.edit_policy(policy)
        return {
            "THROUGHLINE_KAFKA": self.stack.kafka_bootstrap,
            "THROUGHLINE_MONGODB": self.stack.mongodb_uri,
            "THROUGHLINE_PREFIX": self.prefix,
            "THROUGHLINE_POLICY": str(policy),
            "THROUGHLINE_INGEST_OUTGOING_ALLOW": f"127.0.0.1:{self.mailbox.port}",
            "THROUGHLINE_INGEST_CHAT_DEMO": "true",
            **{name: str(port) for name, port in self._ports.items()},
            **self.secrets,
        }

    def places(self) -> Places:
        """Return where the services answer."""
        ports = self._ports
        return Places(
            ingest=f"http://127.0.0.1:{ports['THROUGHLINE_INGEST_PORT']}",
            routing=f"http://127.0.0.1:{ports['THROUGHLINE_ROUTING_PORT']}",
            profile=f"http://127.0.0.1:{ports['THROUGHLINE_PROFILE_PORT']}",
            smtp_host="127.0.0.1",
            smtp_port=ports["THROUGHLINE_INGEST_SMTP_PORT"],
        )

    def ops(self, service: str) -> str:
        """Return the address of a service's operations port."""
        return f"http://127.0.0.1:{self._ports[f'THROUGHLINE_{service.upper()}_OPS_PORT']}"

    def log(self, service: str) -> str:
        """Return what a service has logged so far."""
        return self._services[service].log.read_text()

    def pid(self, service: str) -> int:
        """Return the process id of a service."""
        return self._services[service].pid

    def wait(self) -> None:
        """Wait until a service ends by itself, which is an error."""
        while True:
            for service in self._services.values():
                if service.has_ended():
                    raise service.error("ended by itself")
            time.sleep(0.5)


def _with_ways_out(channels: str, mailbox: int, ingest: str) -> str:
    """Add to channels.yaml what only a run on this machine has: where mail goes, and a web chat."""
    return channels.replace(
        "      address: support@example.com",
        f"      submission_host: 127.0.0.1\n      submission_port: '{mailbox}'\n"
        "      from: support@example.com\n      address: support@example.com",
    ).replace(
        "channel_accounts:\n",
        "channel_accounts:\n  - provider: webchat\n    account: main\n"
        f"    options:\n      origins: {ingest}\n\n",
        1,
    )


def _fresh_secrets() -> dict[str, str]:
    """Make this run's secrets; nothing of them is kept."""
    key = f"demo.{secrets.token_urlsafe(32)}"
    return {
        "THROUGHLINE_ID_KEY": os.environ.get("THROUGHLINE_ID_KEY") or secrets.token_urlsafe(32),
        "WHATSAPP_APP_SECRET": secrets.token_hex(16),
        "WHATSAPP_VERIFY_TOKEN": secrets.token_hex(16),
        "TWILIO_AUTH_TOKEN": secrets.token_hex(16),
        "DEMO_SHOP_KEY": key,
        "DEMO_SHOP_KEY_SHA256": hashlib.sha256(key.encode()).hexdigest(),
    }


def _port(usual: int) -> int:
    """Return the usual port if it is free, else another one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", usual))
        except OSError:
            return free_port()
    return usual


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2.0):
            return True
    except OSError:
        return False


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _say(line: str) -> None:
    print(line, flush=True)
