"""`channels.yaml` and its secrets: what is wrong is said with what to do."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.ingest.accounts import load_keys, open_doors
from services.ingest.app import create_app
from services.ingest.domain.channels import ChannelsPolicy, is_expired
from services.ingest.secret_references import resolve_secret
from services.ingest.settings import Settings
from shared.errors import PolicyError
from shared.policy import load_policy
from shared.settings import CommonSettings

EXAMPLE = Path("deploy/policy/channels.yaml")
ENVIRONMENT = {
    "WHATSAPP_APP_SECRET": "app-secret",
    "WHATSAPP_VERIFY_TOKEN": "verify-me",
    "TWILIO_AUTH_TOKEN": "auth-token",
    "DEMO_SHOP_KEY_SHA256": "A" * 64,
}
ACCOUNT = """
channel_accounts:
  - provider: {provider}
    account: main
    secrets: {{{secrets}}}
    options: {{{options}}}
"""
WHATSAPP_SECRETS = 'app_secret: ["env:A"], verify_token: ["env:A"]'


def policy(tmp_path: Path, text: str) -> ChannelsPolicy:
    path = tmp_path / "channels.yaml"
    path.write_text(text, encoding="utf-8")
    return load_policy(path, ChannelsPolicy).content


def test_the_example_opens_three_doors_and_knows_one_integrator() -> None:
    content = load_policy(EXAMPLE, ChannelsPolicy).content
    doors = open_doors(content, ENVIRONMENT)
    assert set(doors) == {("whatsapp", "main"), ("twilio", "main"), ("email", "support")}
    assert doors["whatsapp", "main"].account.secrets["app_secret"] == (b"app-secret",)
    assert load_keys(content, ENVIRONMENT)["demo"].digest == "a" * 64


def test_the_service_is_built_without_connecting_to_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    common = CommonSettings(
        kafka="127.0.0.1:1", mongodb="mongodb://127.0.0.1:1", id_key="0123456789abcdef"
    )
    service = create_app(Settings(common=common))
    assert service.name == "ingest"


@pytest.mark.parametrize("missing", sorted(ENVIRONMENT))
def test_a_missing_secret_is_named_with_what_to_do(missing: str) -> None:
    content = load_policy(EXAMPLE, ChannelsPolicy).content
    rest = {name: value for name, value in ENVIRONMENT.items() if name != missing}
    with pytest.raises(PolicyError) as refused:
        open_doors(content, rest)
        load_keys(content, rest)
    assert f"env:{missing}" in refused.value.problem
    assert refused.value.fix == f"Set the environment variable {missing}."


@pytest.mark.parametrize(
    ("provider", "secrets", "options", "problem"),
    [
        ("smoke-signals", "", "", "unknown provider"),
        ("whatsapp", 'app_secret: ["env:A"]', "portfolio: p", "secrets.verify_token"),
        ("whatsapp", WHATSAPP_SECRETS, "", "options.portfolio"),
        ("whatsapp", WHATSAPP_SECRETS, "portfolio: p, x: y", "options.x"),
        ("email", "x: [env:A]", "address: a@example.com", "secrets.x"),
        ("twilio", "auth_token: []", "public_url: https://example.com", "secrets.auth_token"),
    ],
)
def test_what_an_adapter_needs_and_does_not_know_is_said(
    tmp_path: Path, provider: str, secrets: str, options: str, problem: str
) -> None:
    text = ACCOUNT.format(provider=provider, secrets=secrets, options=options)
    with pytest.raises(PolicyError) as refused:
        open_doors(policy(tmp_path, text), {"A": "secret-value"})
    assert problem in refused.value.problem
    assert "secret-value" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        ACCOUNT.format(provider="email", secrets='a: ["a plain secret"]', options=""),
        ACCOUNT.format(provider="Email", secrets="", options=""),
        "channel_accounts: []\nsurprise: 1",
        "version: 2",
        "channel_accounts:\n"
        + "  - {provider: email, account: a, options: {address: a@example.com}}\n" * 2,
        "api_keys:\n" + "  - {integrator: a, prefix: aa, sha256: env:A}\n" * 2,
    ],
)
def test_a_wrong_file_is_refused_without_showing_its_values(tmp_path: Path, text: str) -> None:
    with pytest.raises(PolicyError) as refused:
        policy(tmp_path, text)
    assert "channels.yaml" in str(refused.value)
    assert "a plain secret" not in str(refused.value)


def test_a_secret_may_be_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("from-a-file\n", encoding="utf-8")
    assert resolve_secret(f"file:{path}", "x") == "from-a-file"
    with pytest.raises(PolicyError, match="let this process read it"):
        resolve_secret(f"file:{path}.none", "x")


def test_a_digest_that_is_none_is_refused() -> None:
    content = load_policy(EXAMPLE, ChannelsPolicy).content
    with pytest.raises(PolicyError, match="64 hexadecimal"):
        load_keys(content, {"DEMO_SHOP_KEY_SHA256": "demo.secret"})


def test_a_key_expires_at_its_time_exactly(tmp_path: Path) -> None:
    text = (
        "api_keys:\n  - {integrator: a, prefix: aa, sha256: env:A, "
        "expires_at: 2026-11-03T09:15:00Z}\n"
    )
    (key,) = policy(tmp_path, text).api_keys
    assert is_expired(key, datetime(2026, 11, 3, 9, 15, tzinfo=UTC))
    assert not is_expired(key, datetime(2026, 11, 3, 9, 14, 59, tzinfo=UTC))


@pytest.mark.parametrize(
    ("part", "entry"),
    [
        ("inbox", "{source: /shop, integrator: shop}"),
        ("rates", "{integrator: shop, events_per_minute: 5}"),
    ],
)
def test_an_entry_that_is_there_twice_is_named(tmp_path: Path, part: str, entry: str) -> None:
    text = f"version: 1\n{part}:\n  - {entry}\n"
    policy(tmp_path, text)
    with pytest.raises(PolicyError, match=rf"{part}.1: .* is there twice"):
        policy(tmp_path, f"{text}  - {entry}\n")


@pytest.mark.parametrize("source", ["", "/a*b", "**", "*x"])
def test_a_star_may_only_end_a_source(tmp_path: Path, source: str) -> None:
    with pytest.raises(PolicyError, match="source"):
        policy(tmp_path, f'version: 1\ninbox:\n  - {{source: "{source}", integrator: shop}}\n')
