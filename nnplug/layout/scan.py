"""What lies in a source folder: entries in order, which of them are images, words in names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_DEPTH = 12
_SKIPPED = {"__MACOSX", "Thumbs.db"}


def natural_key(name: str) -> tuple[tuple[tuple[int, str], ...], str]:
    """Return a sort key under which ``case2`` comes before ``case10``.

    Numbers compare by value, text without regard to case; the name itself settles ties, so
    that the order never depends on the file system.
    """
    parts = re.split(r"([0-9]+)", name)
    return tuple((int(p), "") if p.isdigit() else (-1, p.lower()) for p in parts), name


def entries(folder: Path) -> list[Path]:
    """Return the files and folders directly in ``folder``, hidden ones left out, in order."""
    found = (p for p in folder.iterdir() if not p.name.startswith(".") and p.name not in _SKIPPED)
    return sorted(found, key=lambda p: natural_key(p.name))


def walk(folder: Path, *, depth: int = MAX_DEPTH) -> Iterator[Path]:
    """Yield everything below ``folder``, parents first; a link back to a parent is not followed."""
    return _walk(folder, depth, frozenset())


def _walk(folder: Path, depth: int, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
    status = folder.stat()
    here = (status.st_dev, status.st_ino)
    if here in above:
        return
    for entry in entries(folder):
        yield entry
        if depth > 1 and entry.is_dir():
            yield from _walk(entry, depth - 1, above | {here})


def words(name: str, *, lower: bool = True) -> tuple[str, ...]:
    """Return the runs of letters and digits in ``name``, in lower case or as they are."""
    return tuple(re.findall(r"[^\W_]+", name.lower() if lower else name))


def contains(haystack: tuple[str, ...], needle: tuple[str, ...]) -> bool:
    """Tell whether ``needle`` stands in ``haystack`` as consecutive whole words."""
    size = len(needle)
    return size > 0 and any(
        haystack[i : i + size] == needle for i in range(len(haystack) - size + 1)
    )


def listed(items: list[str], limit: int = 5) -> str:
    """Return ``a, b, c`` with at most ``limit`` items and the number of the others."""
    more = f" and {len(items) - limit} more" if len(items) > limit else ""
    return ", ".join(items[:limit]) + more


@dataclass(frozen=True)
class Kind:
    """What counts as an image and as a label on disk.

    Attributes:
        suffixes: lower-case endings of image files, or of the slices in a stack's folder.
        folders: an image is a folder that directly holds such files.
        label_suffixes: endings of further files that may be a label.
        label_folders: a label is a folder that holds image files, or folders of them.
        mask_folders: a label may also be a folder that holds image files, one a region.
    """

    suffixes: tuple[str, ...]
    folders: bool
    label_suffixes: tuple[str, ...] = ()
    label_folders: bool = False
    mask_folders: bool = False

    def is_image(self, path: Path) -> bool:
        """Tell whether ``path`` is an image: a file, or with ``folders`` a stack."""
        if self.folders:
            return self._holds_files(path)
        return path.name.lower().endswith(self.suffixes) and path.is_file()

    def is_label(self, path: Path) -> bool:
        """Tell whether ``path`` could be a label."""
        if self.label_folders:
            return self._holds_files(path) or (
                path.is_dir() and any(self._holds_files(inner) for inner in entries(path))
            )
        if self.mask_folders and self._holds_files(path):
            return True
        if self.label_suffixes and path.name.lower().endswith(self.label_suffixes):
            return path.is_file()
        return self.is_image(path)

    def _holds_files(self, folder: Path) -> bool:
        return folder.is_dir() and any(
            p.name.lower().endswith(self.suffixes) and p.is_file() for p in entries(folder)
        )

    def name(self, path: Path) -> str:
        """Return the name of ``path`` without the longest suffix that fits."""
        ends = sorted((*self.suffixes, *self.label_suffixes), key=len, reverse=True)
        low = path.name.lower()
        fitting = next((e for e in ends if e and low.endswith(e)), "")
        return path.name if path.is_dir() or not fitting else path.name[: -len(fitting)]

    def __str__(self) -> str:
        ends = " ".join(s for s in self.suffixes if s) or "files"
        return f"folders of {ends}" if self.folders else f"{ends} files"
