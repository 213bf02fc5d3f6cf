"""Policy files: read as a whole, validated as a whole, versioned by what they say.

A wrong file is refused with every problem in it, each with its file, line, key and what to do, so
that the version in force stays in force.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from shared.errors import PolicyError
from shared.policy_yaml import FileProblem, KeyPath, PolicyText, parse_policy_text

Content = TypeVar("Content", bound=BaseModel)

MAX_BYTES = 1024 * 1024  # the largest real charter is a few KiB; this refuses the wrong file
_VERSION_LENGTH = 12  # 48 bits of SHA-256: two versions in a lifetime of edits do not meet


class PolicyModel(BaseModel):
    """Base of everything a policy file may hold: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class KeyProblems(ValueError):
    """Problems that a model's own validator found, each at a key path below that model.

    Raise it from a `model_validator` to point at the lines that do not fit together; end each
    text with what to do.
    """

    def __init__(self, *problems: tuple[KeyPath, str]) -> None:
        super().__init__("; ".join(text for _, text in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Policy(Generic[Content]):
    """A policy in force: its content, and the version that goes on every decision.

    `version` is the first 12 hex digits of the SHA-256 of what the file says: comments, order of
    keys and layout do not change it.
    """

    content: Content
    version: str


def load_policy(path: Path, model: type[Content]) -> Policy[Content]:
    """Read a policy file and validate all of it against `model`.

    Raises `PolicyError` that lists every problem as `file:line: key.path: problem; what to do`.
    Types are not bent: text is not taken for a number, nor a number for text.
    """
    parsed = parse_policy_text(_read(path))
    if parsed.problems:
        raise _refusal(path, parsed.problems)
    canonical = json.dumps(parsed.values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    try:
        content = model.model_validate_json(canonical, strict=True)
    except ValidationError as error:
        found = [problem for detail in error.errors() for problem in _problems(detail, parsed)]
        raise _refusal(path, found) from None
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return Policy(content, digest[:_VERSION_LENGTH])


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PolicyError(
            f"{path}: cannot be read ({type(error).__name__}).",
            "Check that the file is there and readable, and the policy folder in the settings.",
        ) from None
    if len(data) > MAX_BYTES:
        raise PolicyError(f"{path}: is larger than 1 MiB.", "Is this the right file?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PolicyError(f"{path}:{line}: is not UTF-8.", "Save the file as UTF-8.") from None


def _refusal(path: Path, problems: list[FileProblem]) -> PolicyError:
    lines = [_written(path, problem) for problem in sorted(problems, key=lambda p: p.line)]
    count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    return PolicyError(
        "\n".join(lines), f"\nCorrect {count} in {path.name}; until then it is not in force."
    )


def _written(path: Path, problem: FileProblem) -> str:
    key = ".".join(str(part) for part in problem.path)
    return f"{path}:{problem.line}: {key + ': ' if key else ''}{problem.text}"


def _problems(detail: ErrorDetails, parsed: PolicyText) -> Iterator[FileProblem]:
    error = detail.get("ctx", {}).get("error")
    if isinstance(error, KeyProblems):
        for below, text in error.problems:
            path = (*detail["loc"], *below)
            yield FileProblem(parsed.lines[_written_part(path, parsed)], path, text)
        return
    written = _written_part(detail["loc"], parsed)
    path = detail["loc"] if detail["type"] == "missing" else written
    yield FileProblem(parsed.lines[written], path, _text(detail))


def _written_part(loc: KeyPath, parsed: PolicyText) -> KeyPath:
    """Return the key path that pydantic's location leads to, as far as the file has it."""
    path: KeyPath = ()
    for part in loc:
        if (*path, part) in parsed.lines:
            path = (*path, part)
    return path


def _text(detail: ErrorDetails) -> str:
    kind = detail["type"]
    if kind == "missing":
        return "is missing; add it"
    if kind == "extra_forbidden":
        return "is not a known key; correct its spelling or remove it"
    if kind == "string_type":
        return "should be text; put it in quotes"
    if kind in {"value_error", "assertion_error"}:
        return str(detail.get("ctx", {}).get("error", detail["msg"]))
    message = detail["msg"]
    return f"{message[:1].lower()}{message[1:]}; correct the value"
