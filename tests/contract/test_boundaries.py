"""The import contracts hold, and each of them notices a violation."""

import ast
import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_LINT = "import sys; from importlinter.cli import lint_imports_command as run; run()"
_CONTRACT = "importlinter:contract:"

PLANTED = {
    "services-apart": ("services/sla/planted.py", "import services.routing.planted"),
    "shared-below": ("shared/planted.py", "import services.profile"),
    "deploy-above": ("services/routing/planted.py", "import deploy.local"),
    "one-door-to-kafka": ("services/profile/planted.py", "import aiokafka\nimport faststream"),
    "one-door-to-motor": ("shared/streams/planted.py", "import motor.motor_asyncio"),
    "services-need-no-driver": ("services/ingest/planted.py", "import pymongo"),
    "no-tests": ("deploy/planted.py", "import tests.support.builders"),
}
"""One violation of each contract; the first contract's are all planted, from its own list."""


def contracts() -> dict[str, configparser.SectionProxy]:
    config = configparser.ConfigParser()
    config.read(ROOT / ".importlinter")
    return {
        name.removeprefix(_CONTRACT): config[name]
        for name in config.sections()
        if name.startswith(_CONTRACT)
    }


def lint(folder: Path) -> str:
    """Return what lint-imports says of the code in a folder."""
    done = subprocess.run(
        [sys.executable, "-c", _LINT, "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def said_of_violations(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What lint-imports says of a copy of the code with every violation planted."""
    copy = tmp_path_factory.mktemp("planted")
    for package in ("shared", "services", "deploy", "tests/support"):
        shutil.copytree(ROOT / package, copy / package)
    shutil.copy(ROOT / ".importlinter", copy)
    for path, code in PLANTED.values():
        (copy / path).write_text(code)
    forbidden = contracts()["pure-domain"]["forbidden_modules"].split()
    (copy / "services/profile/domain/planted.py").write_text(
        "\n".join(f"import {module}" for module in forbidden)
    )
    return lint(copy)


def test_nobody_imports_what_they_must_not() -> None:
    assert f"Contracts: {len(contracts())} kept, 0 broken." in lint(ROOT)


def test_every_contract_has_a_violation_planted() -> None:
    assert set(contracts()) == {"pure-domain", *PLANTED}


@pytest.mark.parametrize("contract", sorted(contracts()))
def test_a_violation_breaks_its_contract(said_of_violations: str, contract: str) -> None:
    assert f"{contracts()[contract]['name']} BROKEN" in said_of_violations


@pytest.mark.parametrize("module", contracts()["pure-domain"]["forbidden_modules"].split())
def test_a_domain_module_may_not_import(said_of_violations: str, module: str) -> None:
    assert f"services.profile.domain.planted -> {module} (l." in said_of_violations


ADAPTERS = ROOT / "services/ingest/adapters"
BELOW_ADAPTERS = ("services.ingest.adapters.", "services.ingest.domain")


def imported_by(path: Path) -> set[str]:
    """Return the modules of services that a module imports, in any place of it."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    names |= {one.name for node in nodes if isinstance(node, ast.Import) for one in node.names}
    return {name for name in names if name.startswith("services.")}


def test_adapters_do_not_reach_up() -> None:
    found = {path: imported_by(path) for path in ADAPTERS.rglob("*.py")}
    assert any(found.values())
    up = {
        f"{path.relative_to(ROOT)} -> {name}"
        for path, names in found.items()
        for name in names
        if not name.startswith(BELOW_ADAPTERS)
    }
    assert up == set()


def test_schemes_know_requests_and_not_adapters() -> None:
    """An adapter names its scheme; were it the other way too, neither could be read alone."""
    knowing = {
        path.name
        for path in (ADAPTERS / "schemes").glob("*.py")
        if "services.ingest.adapters.contract" in imported_by(path)
    }
    assert knowing == set()
