"""`throughline api-key new`: what it prints is a key that ingest lets in, once configured."""

import hashlib
from pathlib import Path

import pytest

from deploy.cli import main
from services.ingest.accounts import load_keys
from services.ingest.domain.channels import ChannelsPolicy
from shared.policy import load_policy


@pytest.mark.parametrize("integrator", ["demo-shop", "7days", "a" * 34])
def test_the_printed_entry_configures_the_printed_key(
    integrator: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["api-key", "new", integrator]) == 0
    first, second, *rest = capsys.readouterr().out.splitlines()
    key, digest = first.rpartition(": ")[2], second.removeprefix("sha256: ")
    assert hashlib.sha256(key.encode()).hexdigest() == digest

    entry = "\n".join(line for line in rest if line.startswith("  "))
    path = tmp_path / "channels.yaml"
    path.write_text(f"version: 1\napi_keys:\n{entry}\n")
    variable = entry.partition("env:")[2].splitlines()[0]
    keys = load_keys(load_policy(path, ChannelsPolicy).content, {variable: digest})
    assert keys[key.partition(".")[0]].digest == digest
    assert key.partition(".")[2] not in entry


def test_two_keys_of_one_integrator_differ_in_prefix_and_secret(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for _ in range(2):
        main(["api-key", "new", "demo-shop"])
    keys = [
        line.rpartition(": ")[2] for line in capsys.readouterr().out.splitlines() if "key (" in line
    ]
    (one, other) = (key.split(".") for key in keys)
    assert one[0] != other[0]
    assert one[1] != other[1]


@pytest.mark.parametrize("integrator", ["", "Demo Shop", "-", "a" * 35, "a\n"])
def test_a_name_that_channels_yaml_would_refuse_is_refused(
    integrator: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["api-key", "new", integrator]) == 1
    assert "lower-case letters" in capsys.readouterr().err
