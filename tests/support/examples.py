"""The example events: files in `shared/events/examples`, each named by its wire type."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "events" / "examples"


def example_files() -> list[Path]:
    """Return every example, by name."""
    return sorted(FOLDER.glob("*.json"))


def wire_type_of(path: Path) -> str:
    """Return the type an example is of: `throughline.a.b.v1` of `throughline.a.b.v1.more.json`."""
    return ".".join(path.name.split(".")[:4])
