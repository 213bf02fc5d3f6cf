"""Reading fields of JSON whose shape nobody promised: a wrong type reads as absent."""

from typing import Any


def value_at(source: Any, *path: str) -> Any:
    """Return what is at a path of keys, or None."""
    for key in path:
        if not isinstance(source, dict):
            return None
        source = source.get(key)
    return source


def string_at(source: Any, *path: str) -> str | None:
    """Return the non-empty string at a path (a number counts as its digits), or None."""
    for key in path:  # as `value_at`, without the call: adapters ask for dozens of fields
        if not isinstance(source, dict):
            return None
        source = source.get(key)
    if isinstance(source, str):
        return source or None
    return str(source) if isinstance(source, int) and not isinstance(source, bool) else None


def list_at(source: Any, *path: str) -> list[Any]:
    """Return the list at a path, or an empty one."""
    found = value_at(source, *path)
    return found if isinstance(found, list) else []


def object_at(source: Any, *path: str) -> dict[str, Any]:
    """Return the object at a path, or an empty one."""
    found = value_at(source, *path)
    return found if isinstance(found, dict) else {}
