"""Generated files are what their sources say, and the check notices when they are not."""

import shutil
from pathlib import Path

import pytest

from deploy.generate import ROOT, generated_files, main, replace_section, stale_files

PLANTED = {
    "README.md": ("| `contact-inbox` |", "| `contact-outbox` |"),
    "docs/architecture.md": ("contact_events --> ingest", "contact_events --> digest"),
    "docs/settings.md": ("THROUGHLINE_KAFKA", "THROUGHLINE_KAFKAS"),
    "docs/metrics.md": ("counter", "gauge"),
    "docs/schemas/README.md": ("A customer wrote to us", "Somebody wrote to us"),
    "docs/asyncapi.yaml": ("partitions: 12", "partitions: 6"),
    "docs/openapi-routing.json": ("/v1/agents", "/v1/agent"),
    "docs/schemas/inbox/throughline.message.received.v1.json": ("maxLength", "minLength"),
    "docs/schemas/throughline.message.received.v1.json": ("maxLength", "minLength"),
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of every file that is generated."""
    for path in generated_files(ROOT):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    return tmp_path


def test_every_generated_file_is_up_to_date() -> None:
    assert stale_files(ROOT) == []


@pytest.mark.parametrize("path", PLANTED)
def test_a_planted_change_is_named(
    copy: Path, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    original = (copy / path).read_text()
    assert PLANTED[path][0] in original
    (copy / path).write_text(original.replace(*PLANTED[path], 1))

    assert main(["--check"], copy) == 1
    assert capsys.readouterr().err.startswith(f"{path} is stale")

    assert main([], copy) == 0
    assert (copy / path).read_text() == original
    assert main(["--check"], copy) == 0


def test_a_missing_file_is_named_and_written(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copy / "docs/metrics.md").unlink()
    assert main(["--check"], copy) == 1
    assert capsys.readouterr().err.startswith("docs/metrics.md is stale")
    assert main([], copy) == 0
    assert stale_files(copy) == []


def test_the_schema_of_a_type_that_is_no_more_is_named_and_removed(copy: Path) -> None:
    forgotten = copy / "docs/schemas/throughline.pigeon.arrived.v1.json"
    forgotten.write_text("{}")
    assert stale_files(copy) == ["docs/schemas/throughline.pigeon.arrived.v1.json"]
    assert main([], copy) == 0
    assert not forgotten.exists()


def test_what_stands_around_a_section_stays() -> None:
    page = "before <!-- generated:topics -->old<!-- /generated --> after"
    assert replace_section(page, "topics", "new") == (
        "before <!-- generated:topics -->\n\nnew\n\n<!-- /generated --> after"
    )


def test_a_page_without_the_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="marks"):
        replace_section("no marks here", "topics", "new")


def test_generating_twice_gives_the_same() -> None:
    assert generated_files(ROOT) == generated_files(ROOT)


def test_settings_are_shown_in_the_words_of_who_sets_them() -> None:
    page = (ROOT / "docs/settings.md").read_text()
    assert "| `THROUGHLINE_INGEST_PARTS` | words | `doors,inbox,replies` |" in page
    assert "typing." not in page
    assert "<class" not in page
