"""Policy files as YAML: plain values, and the line of every key for the error messages.

The subset is the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema): `no`,
`17:00` and `2026-12-25` are text, not false, 1020 or a date object. Aliases are refused: they are
how a small file becomes a huge one. Every key is text and occurs once.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

KeyPath = tuple[str | int, ...]
"""Where a value stands: mapping keys and list places, from the top of the file."""

MAX_DEPTH = 32  # a policy nests about 6 deep; beyond this PyYAML would exhaust Python's stack


@dataclass(frozen=True, slots=True)
class FileProblem:
    """One thing wrong with a file: the line (from 1), the key it is about, and what is wrong."""

    line: int
    path: KeyPath
    text: str


@dataclass(slots=True)
class PolicyText:
    """A parsed file: its values, the line of every key path, and what was wrong already."""

    values: Any = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[FileProblem] = field(default_factory=list)


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - filled below

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise yaml.MarkedYAMLError(
                problem="anchors (&) and aliases (*) are not allowed; write the value out",
                problem_mark=event.start_mark,
            )
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(
                problem=f"nested more than {MAX_DEPTH} deep; flatten it",
                problem_mark=event.start_mark,
            )
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:null", re.compile(r"(?:~|null)?\Z"), ["~", "n", ""]
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(?:true|false)\Z"), ["t", "f"])
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})\Z"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+\.[0-9]+\Z"), list("-+0123456789")
)

_SCALARS = {
    "tag:yaml.org,2002:null": lambda text: None,
    "tag:yaml.org,2002:bool": lambda text: text == "true",
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": float,
    "tag:yaml.org,2002:str": str,
}


def parse_policy_text(text: str) -> PolicyText:
    """Parse one YAML document; whatever is wrong with it is in `problems`, nothing is raised."""
    parsed = PolicyText()
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        parsed.problems.append(_syntax_problem(error))
    except (yaml.YAMLError, ValueError):  # ValueError: an escape beyond Unicode, "\\U00110000"
        parsed.problems.append(FileProblem(1, (), "has characters that YAML does not allow"))
    else:
        if node is None:
            parsed.problems.append(FileProblem(1, (), "is empty; write the policy"))
        else:
            parsed.values = _value(node, (), parsed)
    return parsed


def _syntax_problem(error: yaml.MarkedYAMLError) -> FileProblem:
    mark, start = error.problem_mark, error.context_mark
    began = f"; check what begins on line {start.line + 1}" if start else ""
    return FileProblem(mark.line + 1 if mark else 1, (), f"{error.problem}{began}")


def _value(node: yaml.Node, path: KeyPath, parsed: PolicyText) -> Any:
    parsed.lines.setdefault(path, node.start_mark.line + 1)
    if node.tag == "tag:yaml.org,2002:map" and isinstance(node, yaml.MappingNode):
        return _mapping(node, path, parsed)
    if node.tag == "tag:yaml.org,2002:seq" and isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, place), parsed) for place, item in enumerate(node.value)]
    scalar = _SCALARS.get(node.tag) if isinstance(node, yaml.ScalarNode) else None
    if scalar is None:
        _refuse(parsed, node, path, "has a tag (!) that is not allowed; write plain text")
        return None
    return _scalar(scalar, node, path, parsed)


def _scalar(scalar: Any, node: yaml.Node, path: KeyPath, parsed: PolicyText) -> Any:
    try:
        return scalar(node.value)
    except ValueError:  # an explicit tag on something else, as in `!!int four`
        _refuse(parsed, node, path, "is not what its tag (!) says; leave the tag out")
        return None


def _mapping(node: yaml.MappingNode, path: KeyPath, parsed: PolicyText) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            _refuse(parsed, key_node, path, "has a key that is not text; write a plain key")
            continue
        key = key_node.value
        here = (*path, key)
        if key in values:
            first = parsed.lines[here]
            _refuse(parsed, key_node, here, f"is there twice (first on line {first}); remove one")
            continue
        parsed.lines[here] = key_node.start_mark.line + 1
        values[key] = _value(value_node, here, parsed)
    return values


def _refuse(parsed: PolicyText, node: yaml.Node, path: KeyPath, text: str) -> None:
    parsed.problems.append(FileProblem(node.start_mark.line + 1, path, text))
