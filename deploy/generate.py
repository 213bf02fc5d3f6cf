"""Writes the files that are made from the catalogues, or checks that they are up to date.

`python -m deploy.generate` writes; with `--check` it writes nothing, names every stale file and
ends with status 1. Sources: the event models, the topic catalogue, the settings classes and the
metrics of each service.
"""

import argparse
import importlib
import sys
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from deploy.openapi import openapi
from shared.contracts.asyncapi import SERVICES, asyncapi_yaml
from shared.contracts.schemas import as_json, event_types, inbox_schema, schema
from shared.events.topics import CONTACT_INBOX, HOME, TOPICS, Topic
from shared.observability.metrics import NAMESPACE, STREAM_METRICS, Metric
from shared.settings import CommonSettings, ServiceSettings

ROOT = Path(__file__).resolve().parents[1]
SCHEMAS = "docs/schemas"
_NOTE = "<!-- Written by `make generate`; change the source it names instead. -->"
_END = "<!-- /generated -->"


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Write or check the generated files under `root`; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, name stale files")
    if parser.parse_args(arguments).check:
        stale = stale_files(root)
        for path in stale:
            sys.stderr.write(f"{path} is stale: run `make generate` and commit it.\n")
        return 1 if stale else 0
    write_files(root)
    return 0


def stale_files(root: Path) -> list[str]:
    """Return the paths that differ from what would be generated, or should not be there."""
    wanted = generated_files(root)
    differing = {path for path, text in wanted.items() if _read(root / path) != text}
    return sorted(differing | _left_over(root, wanted))


def write_files(root: Path) -> None:
    """Write every generated file, and remove the schemas of types that are no more."""
    wanted = generated_files(root)
    for path, text in wanted.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    for path in _left_over(root, wanted):
        (root / path).unlink()


def generated_files(root: Path) -> dict[str, str]:
    """Return the text of every generated file by its path from the root.

    Files that are only partly generated are read from `root` and get their sections replaced.
    """
    topics = f"{topic_diagram(TOPICS)}\n\n{topic_table(TOPICS)}"
    files = {f"{SCHEMAS}/{kind.wire_type}.json": as_json(schema(kind)) for kind in event_types()}
    files |= {
        f"{SCHEMAS}/inbox/{kind.wire_type}.json": as_json(inbox_schema(kind))
        for kind in CONTACT_INBOX.events
    }
    files["docs/asyncapi.yaml"] = asyncapi_yaml()
    files |= {f"docs/openapi-{name}.json": as_json(openapi(name)) for name in SERVICES}
    files[f"{SCHEMAS}/README.md"] = event_index(HOME)
    files["docs/settings.md"] = settings_page(_settings_classes())
    files["docs/metrics.md"] = metrics_page(_metric_groups())
    for page in ("README.md", "docs/architecture.md"):
        files[page] = replace_section(_read(root / page) or "", "topics", topics)
    return files


def replace_section(text: str, name: str, content: str) -> str:
    """Return `text` with what stands between a section's two marks replaced.

    Raises `ValueError` when the marks are not there.
    """
    start = f"<!-- generated:{name} -->"
    before, found, rest = text.partition(start)
    _, closed, after = rest.partition(_END)
    if not found or not closed:
        raise ValueError(f"the marks {start} and {_END} are missing")
    return f"{before}{start}\n\n{content}\n\n{_END}{after}"


# events and topics


def event_index(home: Mapping[str, Topic]) -> str:
    """Return the page that lists every event type."""
    kinds = {kind.wire_type: kind for kind in event_types()}
    rows = [
        (
            f"[`{name}`]({name}.json)",
            f"`{home[name].name}`",
            first_line(kinds[name].__doc__),
            f"[example](../../shared/events/examples/{name}.json)",
        )
        for name in sorted(home)
    ]
    table = _table(("Type", "Topic", "Says", ""), rows)
    intro = (
        "JSON Schema (2020-12) of every event, made from the models in `shared/events/`. Fields "
        "may be added within `v1`: ignore those you do not know. What integrators send leaves out "
        "what ingest stamps: `inbox/` has those schemas. [asyncapi.yaml](../asyncapi.yaml) says "
        "which service writes and reads what; `released/` keeps what every version promised."
    )
    return _page("Events", intro, table)


def topic_table(topics: Sequence[Topic]) -> str:
    """Return the topics as a Markdown table."""
    rows = [
        (
            f"`{topic.name}`",
            topic.key,
            ", ".join(topic.producers),
            ", ".join(topic.consumers) or "whoever wants to",
            str(topic.partitions),
            _days(topic.retention),
        )
        for topic in topics
    ]
    return _table(("Topic", "Key", "Written by", "Read by", "Partitions", "Kept"), rows)


def topic_diagram(topics: Sequence[Topic]) -> str:
    """Return the data flow as a Mermaid diagram: who writes and reads each topic."""
    lines = []
    for topic in topics:
        node = topic.name.replace("-", "_")
        lines.append(f"  {node}[/{topic.name}/]")
        lines.append(f"  {' & '.join(topic.producers)} --> {node}")
        if topic.consumers:
            lines.append(f"  {node} --> {' & '.join(topic.consumers)}")
    return "\n".join(("```mermaid", "flowchart LR", *lines, "```"))


def _days(duration: timedelta) -> str:
    return f"{duration.days} days"


# settings


def settings_page(groups: Sequence[tuple[str, type[BaseSettings]]]) -> str:
    """Return the page that lists every environment variable."""
    intro = (
        "All settings are environment variables. An unknown `THROUGHLINE_…` variable is refused, "
        "so that a misspelt one cannot pass unnoticed."
    )
    parts = [f"## {title}\n\n{_table(_SETTING, settings_rows(kind))}" for title, kind in groups]
    return _page("Settings", intro, "\n\n".join(parts))


_SETTING = ("Variable", "Type", "Default", "What it is")


def settings_rows(kind: type[BaseSettings]) -> list[tuple[str, str, str, str]]:
    """Return variable, type, default and description of each setting of a class."""
    prefix = kind.model_config.get("env_prefix", "")
    return [
        (
            f"`{prefix}{name.upper()}`",
            type_name(field.annotation),
            _default(field),
            field.description or "",
        )
        for name, field in kind.model_fields.items()
        if name != "common"  # stands in a table of its own
    ]


def type_name(annotation: Any) -> str:
    """Return a type in the words of somebody who sets an environment variable."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        given = [one for one in typing.get_args(annotation) if one is not type(None)]
        return " or ".join(type_name(one) for one in given)
    if typing.get_origin(annotation) is tuple:
        return "words"  # several, with commas
    plain = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    return {**plain, SecretStr: "secret"}.get(annotation, str(annotation))


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    if isinstance(field.default, tuple):
        return f"`{','.join(map(str, field.default))}`"
    return "none" if field.default in (None, "") else f"`{field.default}`"


def _settings_classes() -> list[tuple[str, type[BaseSettings]]]:
    groups: list[tuple[str, type[BaseSettings]]] = [("Every service", CommonSettings)]
    for service, module in _service_modules("settings"):
        own = [kind for kind in vars(module).values() if _is_settings_of(kind, module)]
        groups += [(service, kind) for kind in own]
    return groups


def _is_settings_of(kind: Any, module: types.ModuleType) -> bool:
    return (
        isinstance(kind, type)
        and issubclass(kind, ServiceSettings)
        and kind.__module__ == module.__name__
    )


# metrics


def metrics_page(groups: Sequence[tuple[str, Sequence[Metric]]]) -> str:
    """Return the page that lists every metric."""
    intro = (
        "Every service serves these on `/metrics` of its operations port. A label value that is "
        "not a plain word, or one too many, is counted as `other`."
    )
    parts = [f"## {title}\n\n{_table(_METRIC, map(_metric_row, group))}" for title, group in groups]
    return _page("Metrics", intro, "\n\n".join(parts))


_METRIC = ("Metric", "Kind", "Labels", "What it is")


def _metric_row(metric: Metric) -> tuple[str, ...]:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"`{NAMESPACE}_{metric.name}`", metric.kind, labels, metric.help


def _metric_groups() -> list[tuple[str, Sequence[Metric]]]:
    stream: tuple[str, Sequence[Metric]] = ("Every service: the stream layer", STREAM_METRICS)
    return [stream, *((name, module.METRICS) for name, module in _service_modules("metrics"))]


# what all of them need


def first_line(docstring: str | None) -> str:
    """Return the first line of a docstring; by our rules it stands alone."""
    return (docstring or "").strip().partition("\n")[0]


def _service_modules(name: str) -> Iterator[tuple[str, Any]]:
    for path in sorted((ROOT / "services").glob(f"*/{name}.py")):
        service = path.parent.name
        yield service, importlib.import_module(f"services.{service}.{name}")


def _page(title: str, intro: str, content: str) -> str:
    return f"{_NOTE}\n\n# {title}\n\n{intro}\n\n{content}\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def _left_over(root: Path, wanted: Mapping[str, str]) -> set[str]:
    there = {str(path.relative_to(root)) for path in (root / SCHEMAS).glob("**/*.json")}
    return there - wanted.keys()


if __name__ == "__main__":
    sys.exit(main())
