"""Released contracts hold for ever: every example decodes, and a broken promise is named."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from deploy.compatibility import ROOT, broken_promises, main, release, releases, topic_changes
from shared.contracts import CONTRACT_VERSION
from shared.errors import ThroughlineError
from shared.events import OpaqueEvent, decode
from shared.events.topics import HOME

EXAMPLES = [path for folder in releases(ROOT) for path in sorted(folder.glob("examples/*.json"))]
SMS = "throughline.message.received.v1"


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """A copy of the first release."""
    folder = tmp_path / "docs/released/0.1.0"
    shutil.copytree(ROOT / "docs/released/0.1.0", folder)
    return folder


def edit(path: Path, change: Any) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_the_first_release_is_kept_and_no_release_is_broken() -> None:
    assert CONTRACT_VERSION in [folder.name for folder in releases(ROOT)]
    assert "0.1.0" in [folder.name for folder in releases(ROOT)]
    assert main([]) == 0


def test_every_release_has_an_example_of_each_of_its_types() -> None:
    for folder in releases(ROOT):
        types = set(json.loads((folder / "topics.json").read_text())["events"])
        shown = {json.loads(path.read_text())["type"] for path in folder.glob("examples/*.json")}
        assert shown == types == {path.stem for path in folder.glob("schemas/*.json")}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parts[-3]}/{path.stem}")
def test_a_released_example_decodes_for_ever(path: Path) -> None:
    value = path.read_bytes()
    event = decode(HOME[json.loads(value)["type"]].name, value)
    assert not isinstance(event, OpaqueEvent)


def test_a_field_that_is_gone_is_named_with_its_release(
    released: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def had_another_field(schema: Any) -> None:
        schema["$defs"]["MessageData"]["properties"]["mood"] = {"type": "string"}

    edit(released / f"schemas/{SMS}.json", had_another_field)
    assert main([], released.parents[2]) == 1
    assert capsys.readouterr().err == f"breaks 0.1.0: {SMS}: data.mood is gone.\n"


def test_an_example_that_does_not_decode_is_named(released: Path) -> None:
    edit(released / f"examples/{SMS}.json", lambda event: event["data"].pop("message_id"))
    (said,) = broken_promises(released)
    assert said.startswith(f"the example {SMS} does not decode any more (")
    edit(released / f"examples/{SMS}.json", lambda event: event.update(type="throughline.x.y.v1"))
    assert broken_promises(released) == [f"the example {SMS} is of no known type any more."]


def catalogue(**topics: Any) -> dict[str, Any]:
    return {
        "topics": {"t": {"key": "pool", "partitions": 12}, **topics},
        "events": {"throughline.a.b.v1": "t"},
    }


@pytest.mark.parametrize(
    ("new", "sentence"),
    [
        (catalogue(t={"key": "queue", "partitions": 12}), "t is keyed by queue instead of pool."),
        (
            catalogue(t={"key": "pool", "partitions": 6}),
            "t has 6 partitions, so keys lie elsewhere than before.",
        ),
        ({"topics": {}, "events": {"throughline.a.b.v1": "t"}}, "the topic t is gone."),
        ({**catalogue(), "events": {}}, "the type throughline.a.b.v1 is gone."),
        (
            {**catalogue(), "events": {"throughline.a.b.v1": "u"}},
            "throughline.a.b.v1 travels on u instead of t.",
        ),
    ],
)
def test_a_change_of_the_catalogue_is_named(new: Any, sentence: str) -> None:
    assert list(topic_changes(catalogue(), new)) == [sentence]


def test_a_new_topic_and_a_new_type_break_nothing() -> None:
    new = catalogue(u={"key": "any", "partitions": 3})
    new["events"]["throughline.c.d.v1"] = "u"
    assert list(topic_changes(catalogue(), new)) == []


def test_a_release_is_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--release", "0.2.0"], tmp_path) == 0
    assert main([], tmp_path) == 0
    assert main(["--release", "0.2.0"], tmp_path) == 1
    assert "released already" in capsys.readouterr().err
    with pytest.raises(ThroughlineError):
        release(tmp_path / "docs/released/0.2.0")
