"""Free text in a picture file, which may name a patient."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp")


def identifiers(path: Path) -> Iterator[tuple[str, str]]:
    """Yield pairs of a name and its text: PNG's text chunks, TIFF's and Exif's tags, comments.

    Nothing comes from a file that is no such picture, or is damaged.
    """
    if path.suffix.lower() not in SUFFIXES:
        return
    from PIL import ExifTags, Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            found = dict(picture.info)
            for tag, value in picture.getexif().items():
                found[ExifTags.TAGS.get(tag, str(tag))] = value
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError):
        return
    for name, value in found.items():
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        if isinstance(text, str) and text.strip("\0 "):
            yield str(name), text.strip("\0 ")
