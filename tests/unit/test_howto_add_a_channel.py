"""The page "Add a channel" does what it says: its files, in an empty folder, pass the kit."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/howto/add-a-channel.md").read_text(encoding="utf-8")
_FILE = re.compile(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```\n", re.DOTALL)


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return dict(_FILE.findall(PAGE))


def write(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")


def throughline(folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command in a folder, as somebody outside the repository does."""
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def examine(folder: Path) -> subprocess.CompletedProcess[str]:
    return throughline(
        folder, "conformance", "pigeon:Pigeon", "--payloads", "payloads", "--fuzz", "200"
    )


def test_the_adapter_has_at_most_120_lines(files: dict[str, str]) -> None:
    assert len(files["pigeon.py"].splitlines()) <= 120


def test_the_page_leads_to_an_adapter_that_conforms(tmp_path: Path, files: dict[str, str]) -> None:
    write(tmp_path, files)
    done = examine(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 adapters pass" in done.stdout


@pytest.mark.parametrize(
    ("good", "sabotaged", "check"),
    [
        (
            "    def parse(",
            "    def verify(self, request, account, now):\n        return\n\n    def parse(",
            "✗ signature",
        ),
        ("MessageReceived, own_id, ", "MessageReceived, str(builder.received_at), ", "✗ idempot"),
    ],
)
def test_sabotage_is_found(
    tmp_path: Path, files: dict[str, str], good: str, sabotaged: str, check: str
) -> None:
    assert good in files["pigeon.py"]
    write(tmp_path, {**files, "pigeon.py": files["pigeon.py"].replace(good, sabotaged, 1)})
    done = examine(tmp_path)
    assert done.returncode == 1
    assert check in done.stdout


def test_a_signed_letter_is_valid_and_an_altered_one_is_not(
    tmp_path: Path, files: dict[str, str]
) -> None:
    write(tmp_path, files)
    letter = files["payloads/letter.json"]
    secret = ("pigeon:Pigeon", "--secret", "roost_key=a-key")
    signed = throughline(tmp_path, "sign", *secret, stdin=letter)
    headers = [word for line in signed.stdout.splitlines() for word in ("--header", line)]
    assert throughline(tmp_path, "verify", *secret, *headers, stdin=letter).stdout == "valid\n"
    altered = throughline(tmp_path, "verify", *secret, *headers, stdin=letter + " ")
    assert (altered.returncode, altered.stdout[:14]) == (1, "invalid: wrong")
