"""The OpenAPI document of each service, asked of the service itself; nothing is connected to."""

import importlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from shared.service import Service
from shared.settings import CommonSettings

_POLICY = Path(__file__).parent / "policy"
_NO_CHANNELS = "version: 1\n"  # channel accounts need secrets, and none of them is in the document


def openapi(service: str) -> dict[str, Any]:
    """Return what a service serves as `/openapi.json`."""
    document: dict[str, Any] = built(service).http.openapi()
    return document


def built(service: str) -> Service:
    """Return a service, built and never started."""
    with tempfile.TemporaryDirectory(prefix="throughline-policy-") as folder:
        shutil.copytree(_POLICY, folder, dirs_exist_ok=True)
        (Path(folder) / "channels.yaml").write_text(_NO_CHANNELS, encoding="utf-8")
        settings = importlib.import_module(f"services.{service}.settings").Settings
        common = CommonSettings(
            kafka="127.0.0.1:1",
            mongodb="mongodb://127.0.0.1:1/?replicaSet=rs0",
            id_key=SecretStr("only for building, kept nowhere"),
            policy=folder,
        )
        create_app = importlib.import_module(f"services.{service}.app").create_app
        made: Service = create_app(settings(common=common))
    made.database.close()
    return made
