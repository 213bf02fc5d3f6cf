"""No request of ours goes where it must not: the whole corpus is refused, before any connection."""

import datetime as dt
import socket
import ssl
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.ingest.domain.addresses import AddressRefused, is_public, target_of
from services.ingest.outgoing import (
    FetchFailed,
    Guard,
    GuardedTransport,
    NotSent,
    OutcomeUnknown,
    call,
    fetch,
)
from services.ingest.senders.contract import Call
from tests.support.provider_stub import DROP, Script, provider_stub

_PRIVATE = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.254 127.0.0.1
127.1.2.3 127.255.255.255 168.63.129.16 169.254.0.1 169.254.169.254 169.254.170.2 172.16.0.1
172.31.255.255 192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.1
198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 :: ::1
::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:8.8.8.8 ::127.0.0.1
::ffff:0:127.0.0.1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::a00:1 100::1 2001::1
2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1::
2002:a9fe:a9fe::1 2002:c0a8:1::1 3fff::1 5f00::1 fc00::1 fd00:ec2::254 fd12:3456:789a::1 fe80::1
fe80::1%eth0 febf::1 fec0::1 ff01::1 ff02::1 ff05::2 ff0e::1 2620:4f:8000::1
"""
PRIVATE = _PRIVATE.split()
_PUBLIC = """
1.1.1.1 8.8.8.8 100.63.255.255 172.32.0.1 192.0.1.1 2606:4700::1111 2a00:1450::1
"""
PUBLIC = _PUBLIC.split()

WRITTEN = [
    "http://provider.example.com/",
    "ftp://provider.example.com/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_x",
    "data:text/plain,x",
    "dict://127.0.0.1:11211/",
    "//provider.example.com/",
    "https:provider.example.com",
    "https:/provider.example.com",
    "https://",
    "https:///etc/passwd",
    "https://localhost/",
    "https://localhost./",
    "https://LOCALHOST/",
    "https://ingest/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.0.0.0x1/",
    "https://0/",
    "https://0x0/",
    "https://00000000/",
    "https://1.1.1.1/",
    "https://example.0x7f/",
    "https://example.1/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[0:0:0:0:0:ffff:127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[fe80::1%25eth0]/",
    "https://[2606:4700::1111]/",
    "https://[::1/",
    "https://::1/",
    "https://user@provider.example.com/",
    "https://user:secret@provider.example.com/",
    "https://provider.example.com@127.0.0.1/",
    "https://provider.example.com:443@127.0.0.1/",
    "https://127.0.0.1\\@provider.example.com/",
    "https://provider.example.com\\@127.0.0.1/",
    "https://provider.example.com\\.internal/",
    "https://127.0.0.1#@provider.example.com/",
    "https://127.0.0.1?@provider.example.com/",
    "https://provider.example.com%00.internal/",
    "https://provider.example.com%2f@127.0.0.1/",
    "https://%31%32%37.0.0.1/",
    "https://127。0。0。1/",
    "https://127．0．0．1/",
    "https://provider｡example｡com/",
    "https://１２７.0.0.1/",
    "https://①②⑦.0.0.1/",
    "https://ｌｏｃａｌｈｏｓｔ/",
    "https://prövider.example.com/",
    "https://provider.example.com\u200b/",
    "https://provider.example.com\u00ad/",
    " https://provider.example.com/",
    "https://provider.example.com/ ",
    "https://provider.example.com/a b",
    "https://provider.example.com/\r\nHost: internal",
    "https://provider.example.com/\n",
    "https://provider.example.com/\x00",
    "https://prov\tider.example.com/",
    "https://provider.example.com:80/",
    "https://provider.example.com:22/",
    "https://provider.example.com:6379/",
    "https://provider.example.com:0/",
    "https://provider.example.com:65536/",
    "https://provider.example.com:99999/",
    "https://provider.example.com:-1/",
    "https://provider.example.com:٤٤٣/",
    "https://provider.example.com:443:80/",
    "https://provider..example.com/",
    "https://.example.com/",
    "https://-provider.example.com/",
    "https://provider-.example.com/",
    "https://provider.example.com./",
    "https://" + "a" * 64 + ".example.com/",
    "https://provider.example.com/" + "a" * 2_048,
    "",
]


async def nowhere(host: str, port: int) -> list[str]:
    raise AssertionError("nobody may be asked for this name")


class Resolver:
    """Answers with one list after the other, then with the last again."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers, self.asked = list(answers), 0

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Recorder(httpx.AsyncBaseTransport):
    """Takes the place of the network."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.answers, self.requests = list(answers), list[httpx.Request]()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answers.pop(0) if self.answers else httpx.Response(200)


def test_the_corpus_is_large_enough() -> None:
    assert len(PRIVATE) + len(WRITTEN) >= 140


@pytest.mark.parametrize("address", PRIVATE)
async def test_a_name_that_leads_to_such_an_address_is_refused(address: str) -> None:
    guard = Guard(resolve=Resolver([address]))
    with pytest.raises(FetchFailed, match="not public"):
        await fetch(guard, "https://provider.example.com/file")


@pytest.mark.parametrize("address", PRIVATE)
async def test_one_such_address_among_public_ones_is_refused(address: str) -> None:
    guard = Guard(resolve=Resolver(["1.1.1.1", address]))
    with pytest.raises(AddressRefused):
        await guard.address_of(target_of("https://provider.example.com/"))


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("url", WRITTEN)
async def test_a_url_written_like_that_is_refused_before_any_name_is_asked_for(url: str) -> None:
    with pytest.raises(FetchFailed):
        await fetch(Guard(resolve=nowhere), url)


@pytest.mark.parametrize("url", WRITTEN)
async def test_no_call_goes_to_a_url_written_like_that(url: str) -> None:
    with pytest.raises(AddressRefused):
        await call(Guard(resolve=nowhere), Call(url, b""), {"provider.example.com", "127.0.0.1"})


async def test_a_name_is_asked_for_once_and_the_judged_address_is_the_one_connected_to() -> None:
    resolver, network = Resolver(["1.1.1.1"], ["127.0.0.1"]), Recorder()
    transport = GuardedTransport(Guard(resolve=resolver), inner=network)
    async with httpx.AsyncClient(transport=transport) as client:
        await client.get("https://rebinding.example.com/x?y=1")
        assert resolver.asked == 1
        [request] = network.requests
        assert request.url.host == "1.1.1.1"
        assert request.headers["host"] == "rebinding.example.com"
        assert request.extensions["sni_hostname"] == "rebinding.example.com"
        with pytest.raises(AddressRefused):
            await client.get("https://rebinding.example.com/x")


async def test_another_host_than_the_providers_is_refused() -> None:
    request = Call("https://elsewhere.example.com/", b"", {"authorization": "Bearer secret"})
    with pytest.raises(AddressRefused, match="provider's"):
        await call(Guard(resolve=nowhere), request, {"provider.example.com"})


async def test_an_ipv6_address_is_connected_to_as_such() -> None:
    network = Recorder()
    transport = GuardedTransport(Guard(resolve=Resolver(["2606:4700::1111"])), inner=network)
    async with httpx.AsyncClient(transport=transport) as client:
        await client.get("https://provider.example.com/")
    assert str(network.requests[0].url) == "https://[2606:4700::1111]/"


async def test_the_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with provider_stub(Script(body=b"direct")) as stub:
        _, content = await fetch(Guard([stub.place]), f"{stub.url}/file", api_url=stub.url)
    assert content == b"direct"


REDIRECTS = [
    "http://169.254.169.254/latest/meta-data/",
    "https://127.0.0.1/",
    "https://internal/",
    "//169.254.169.254/",
    "file:///etc/passwd",
    "https://user@127.0.0.1/",
    "https://[::1]/",
]


@pytest.mark.parametrize("location", REDIRECTS)
async def test_a_redirect_into_our_network_is_refused(location: str) -> None:
    async with provider_stub(Script(302, headers={"location": location})) as stub:
        with pytest.raises(FetchFailed):
            await fetch(Guard([stub.place]), f"{stub.url}/file", api_url=stub.url)
        assert len(stub.asked) == 1


async def test_two_redirects_are_followed_and_a_third_is_not() -> None:
    hop = Script(302, headers={"location": "/next"})
    async with provider_stub(Script(body=b"here")) as stub:
        stub.script = [hop, hop]
        assert (await fetch(Guard([stub.place]), f"{stub.url}/file", api_url=stub.url))[
            1
        ] == b"here"
        stub.script = [hop, hop, hop]
        with pytest.raises(FetchFailed, match="too often"):
            await fetch(Guard([stub.place]), f"{stub.url}/file", api_url=stub.url)


async def test_credentials_go_to_the_first_host_only(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Recorder()
    network.answers = [
        httpx.Response(307, headers={"location": "https://storage.example.com/file"}),
        httpx.Response(200, stream=httpx.ByteStream(b"file")),
    ]
    monkeypatch.setattr(httpx, "AsyncHTTPTransport", lambda **_: network)
    guard, secret = Guard(resolve=Resolver(["1.1.1.1"])), {"authorization": "Bearer secret"}
    await fetch(guard, "https://provider.example.com/media", headers=secret)
    provider, storage = network.requests
    assert (provider.headers["host"], storage.headers["host"]) == (
        "provider.example.com",
        "storage.example.com",
    )
    assert provider.headers["authorization"] == "Bearer secret"
    assert "authorization" not in storage.headers


async def test_an_exception_of_the_operators_does_not_hold_for_what_a_stranger_wrote() -> None:
    async with provider_stub(Script(body=b"inside")) as internal:
        with pytest.raises(FetchFailed, match="only https"):
            await fetch(Guard([internal.place]), f"{internal.url}/file")
    assert internal.asked == []


async def test_nor_does_it_behind_a_redirect_from_where_it_holds() -> None:
    async with provider_stub(Script()) as proxy, provider_stub(Script(body=b"inside")) as internal:
        proxy.script = [Script(302, headers={"location": f"{internal.url}/file"})]
        guard = Guard([proxy.place, internal.place])
        with pytest.raises(FetchFailed, match="only https"):
            await fetch(guard, f"{proxy.url}/file", api_url=proxy.url)
    assert internal.asked == []


async def test_an_api_url_that_operators_did_not_allow_is_no_exception() -> None:
    async with provider_stub(Script(body=b"inside")) as internal:
        with pytest.raises(FetchFailed, match="only https"):
            await fetch(Guard(), f"{internal.url}/file", api_url=internal.url)
    assert internal.asked == []


async def test_a_call_takes_a_redirect_for_an_answer() -> None:
    async with provider_stub(Script(302, headers={"location": "http://127.0.0.1/"})) as stub:
        answer = await call(Guard([stub.place]), Call(f"{stub.url}/x", b"{}"), {"127.0.0.1"})
    assert answer.status == 302
    assert len(stub.asked) == 1


async def test_a_file_over_the_limit_is_given_up_while_it_streams() -> None:
    async with provider_stub(Script(body=b"x" * 200_000)) as stub:
        with pytest.raises(FetchFailed, match="too large"):
            await fetch(Guard([stub.place]), f"{stub.url}/file", api_url=stub.url, limit=100_000)


async def test_a_packed_file_is_refused_rather_than_unpacked() -> None:
    async with provider_stub(
        Script(body=b"\x1f\x8b", headers={"content-encoding": "gzip"})
    ) as stub:
        with pytest.raises(FetchFailed, match="packed"):
            await fetch(Guard([stub.place]), f"{stub.url}/file", api_url=stub.url)


async def test_a_call_that_reaches_nobody_was_surely_not_sent() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(NotSent):
        await call(Guard([place]), Call(f"http://{place}/", b"{}"), {"127.0.0.1"})


async def test_a_name_that_does_not_resolve_was_surely_not_sent() -> None:
    async def fails(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    with pytest.raises(NotSent):
        await call(Guard(resolve=fails), Call("https://p.example.com/", b""), {"p.example.com"})


async def test_a_call_whose_connection_breaks_has_an_unknown_outcome() -> None:
    async with provider_stub(DROP) as stub:
        with pytest.raises(OutcomeUnknown):
            await call(Guard([stub.place]), Call(f"{stub.url}/x", b"{}"), {"127.0.0.1"})
    assert stub.asked[0].body == b"{}"


def _certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "certificate.pem", folder / "key.pem"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return public, private


async def test_tls_is_spoken_to_the_judged_address_under_the_original_name(tmp_path: Path) -> None:
    public, private = _certificate(tmp_path, "provider.example.com")
    seen: list[str | None] = []
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(public, private)
    server.sni_callback = lambda _socket, name, _context: seen.append(name)
    trusting = ssl.create_default_context(cafile=str(public))
    async with provider_stub(Script(body=b"ok"), ssl=server) as stub:
        exempt = [f"{name}:{stub.port}" for name in ("provider.example.com", "other.example.com")]
        transport = GuardedTransport(
            Guard(exempt, Resolver(["127.0.0.1"])), inner=httpx.AsyncHTTPTransport(verify=trusting)
        )
        async with httpx.AsyncClient(transport=transport) as client:
            answer = await client.get(f"https://provider.example.com:{stub.port}/x")
            assert answer.text == "ok"
            with pytest.raises(httpx.ConnectError, match="certificate"):
                await client.get(f"https://other.example.com:{stub.port}/x")
    assert seen[0] == "provider.example.com"
    assert stub.asked[0].headers["host"] == f"provider.example.com:{stub.port}"
