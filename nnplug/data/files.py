"""What is in files: hashes, and that they reach the disk."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any

from nnplug.whole import storage_errors

CHUNK = 1 << 18
SETTLING_THREADS = 8


def settle(paths: Iterable[Path]) -> None:
    """Return when the files are on the disk, whatever happens to the machine then."""
    with ThreadPoolExecutor(SETTLING_THREADS) as threads:
        list(threads.map(_settle, paths))


def _settle(path: Path) -> None:
    with storage_errors(path), path.open("rb") as stream:
        os.fsync(stream.fileno())


def content_hash(path: str | Path) -> str:
    """SHA-256 of a file's bytes (the first 128 bits, hexadecimal)."""
    digest = sha256()
    with open(path, "rb", buffering=0) as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()[:32]


def value_hash(value: Any) -> str:
    """BLAKE2b of a value that JSON can hold (128 bits, hexadecimal); the same for equal values."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return blake2b(text.encode(), digest_size=16).hexdigest()
