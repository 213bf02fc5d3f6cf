"""What a message is that is nothing but a file."""

_MAJOR = frozenset({"image", "audio", "video"})


def kind_of_file(media_type: str) -> str:
    """Return the kind of a message with only a file: `image`, `audio`, `video` or `document`."""
    major = media_type.partition("/")[0]
    return major if major in _MAJOR else "document"
