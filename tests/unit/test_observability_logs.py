"""Logs: JSON from the first line on, whenever the logger was made; no exception's text."""

import json

import pytest
import structlog

from shared.observability import configure_logging, get_logger


@pytest.fixture(autouse=True)
def _structlog_as_it_comes():
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


def test_a_logger_made_before_the_configuration_writes_json_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = get_logger("profile")
    configure_logging("profile")

    log.info("started", address="127.0.0.1:8083")

    line = json.loads(capsys.readouterr().err)
    assert (line["service"], line["event"], line["level"]) == ("profile", "started", "info")


def test_an_exception_is_told_by_class_and_place_never_by_its_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = get_logger("profile")
    configure_logging("profile")

    log.error("stopped", exc_info=ValueError("ana@example.si"))

    written = capsys.readouterr().err
    assert json.loads(written)["error"] == "ValueError"
    assert "ana" not in written
