"""What is in files, and files that appear whole."""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path
from typing import Any

from nnplug.whole import replacing, storage_errors, write_json, write_text

__all__ = [
    "content_hash",
    "replacing",
    "storage_errors",
    "value_hash",
    "write_json",
    "write_text",
]

CHUNK = 1 << 20


def content_hash(path: Path) -> str:
    """BLAKE2b of a file's bytes (128 bits, hexadecimal)."""
    digest = blake2b(digest_size=16)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def value_hash(value: Any) -> str:
    """The same of a value that JSON can hold; equal values have equal hashes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return blake2b(text.encode(), digest_size=16).hexdigest()
