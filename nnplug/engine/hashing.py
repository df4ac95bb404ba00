"""The SHA-256 of a file."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path


def sha256(file: Path | io.BufferedReader) -> str:
    """SHA-256 of a file's bytes from its start, hexadecimal."""
    if isinstance(file, Path):
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()
