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
    found = value_at(source, *path)
    if isinstance(found, bool):
        return None
    if isinstance(found, int):
        return str(found)
    return found if isinstance(found, str) and found else None


def list_at(source: Any, *path: str) -> list[Any]:
    """Return the list at a path, or an empty one."""
    found = value_at(source, *path)
    return found if isinstance(found, list) else []


def object_at(source: Any, *path: str) -> dict[str, Any]:
    """Return the object at a path, or an empty one."""
    found = value_at(source, *path)
    return found if isinstance(found, dict) else {}
