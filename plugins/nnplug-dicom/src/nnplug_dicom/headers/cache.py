"""Headers that were read before, by path, size and time of each file.

They name patients: the cache is for its owner's eyes only, and can be turned off.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from sys import intern
from typing import Any, NamedTuple
from zlib import crc32

from nnplug.types import Apply
from nnplug_dicom.headers.header import Header, Other

_Stamp = tuple[int, int]

_FORMAT = 1
_VERSION = crc32(repr((_FORMAT, Header._fields, Other._fields)).encode()) & 0x7FFFFFFF
_BATCH = 20000
_FEW, _PART = 2000, 500
_LOG = logging.getLogger(__name__)
_TABLE = """CREATE TABLE IF NOT EXISTS files (
    name BLOB PRIMARY KEY, size INTEGER, mtime INTEGER, found TEXT) WITHOUT ROWID"""


class Entry(NamedTuple):
    """What one file turned out to hold; nothing, if it is not DICOM.

    Attributes:
        file: its path.
        images: its planes.
        other: the DICOM object that it is, if that is no image.
        problem: why it can't be read, or "".
    """

    file: str
    images: tuple[Header, ...] = ()
    other: Other | None = None
    problem: str = ""

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.file)


def cache_file(root: Path) -> Path | None:
    """Return where the headers below ``root`` are kept, or None if they shall not be.

    That is a file in ``$NNPLUG_CACHE``, else ``$XDG_CACHE_HOME/nnplug``, else
    ``~/.cache/nnplug``. ``NNPLUG_CACHE=off`` (or empty) says no.
    """
    chosen = os.environ.get("NNPLUG_CACHE")
    if chosen is not None and chosen.strip().lower() in ("", "off"):
        return None
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = Path(chosen or Path(base) / "nnplug").expanduser() / "dicom"
    return folder / f"{sha256(os.fsencode(root.resolve())).hexdigest()[:32]}.sqlite"


def cached(
    root: Path, paths: Sequence[str], read: Callable[[Sequence[str]], list[Entry]], apply: Apply
) -> list[Entry]:
    """Return an entry a file, from the cache where size and time are the same, else by ``read``.

    Entries of files that are gone are removed, and those with a problem are not kept. A damaged
    cache, or one of another version, is made anew; one that can't be used is ignored, with a
    warning.

    Args:
        root: the folder that the cache is for.
        paths: the files below it.
        read: reads some files.
        apply: how it is applied to all of them, see :class:`nnplug.types.Source`.
    """
    place = cache_file(root)
    if place is None:
        return _read(paths, read, apply)
    with closing(_Store(place)) as store:
        entries, new = dict[bytes, Entry](), []
        start = len(os.fsencode(root / "x")) - 1
        names = [os.fsencode(path)[start:] for path in paths]
        for name, path in zip(names, paths, strict=True):
            stamp = _stamp(path)
            row = store.rows.get(name)
            entry = _unpack(path, row[1]) if row and row[0] == stamp else None
            if entry is None:
                new.append((name, path, stamp))
            else:
                entries[name] = entry
        for first in range(0, len(new), _BATCH):
            batch, rows = new[first : first + _BATCH], []
            fresh = _read([path for _, path, _ in batch], read, apply)
            for (name, _, stamp), entry in zip(batch, fresh, strict=True):
                entries[name] = entry
                if not entry.problem:
                    rows.append((name, *stamp, _pack(entry)))
            store.save(rows)
        store.forget(store.rows.keys() - entries.keys())
    return [entries[name] for name in names]


def _read(
    paths: Sequence[str], read: Callable[[Sequence[str]], list[Entry]], apply: Apply
) -> list[Entry]:
    if len(paths) < _FEW:
        return read(paths)
    parts = [paths[first : first + _PART] for first in range(0, len(paths), _PART)]
    return [entry for part in apply(read, parts) for entry in part]


class _Store:
    """The database; after a failure it keeps nothing.

    Attributes:
        rows: stamp and content by name, as they were when it was opened.
    """

    def __init__(self, place: Path) -> None:
        self.rows: dict[bytes, tuple[_Stamp, str]] = {}
        self._place = place
        self._database: sqlite3.Connection | None = None
        try:
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            place.parent.chmod(0o700)
            try:
                self._open()
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                self.close()
                place.unlink()
                self._open()
        except (OSError, sqlite3.Error) as error:
            self._give_up(error)

    def save(self, rows: Iterable[tuple[bytes, int, int, str]]) -> None:
        """Put rows in, over those of the same name."""
        self._change("REPLACE INTO files VALUES (?, ?, ?, ?)", rows)

    def forget(self, names: Iterable[bytes]) -> None:
        """Take rows out."""
        self._change("DELETE FROM files WHERE name = ?", ((name,) for name in names))

    def close(self) -> None:
        """Close the database."""
        if self._database:
            self._database.close()
        self._database = None

    def _open(self) -> None:
        os.close(os.open(self._place, os.O_RDWR | os.O_CREAT, 0o600))
        self._place.chmod(0o600)
        self._database = database = sqlite3.connect(self._place)
        with database:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version != _VERSION:
                database.execute("DROP TABLE IF EXISTS files")
                database.execute(_TABLE)
                database.execute(f"PRAGMA user_version = {_VERSION}")
        rows = database.execute("SELECT * FROM files")
        self.rows = {name: ((size, mtime), found) for name, size, mtime, found in rows}

    def _change(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        try:
            if self._database:
                with self._database:
                    self._database.executemany(statement, rows)
        except sqlite3.Error as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        _LOG.warning("the cache of DICOM headers is not used (%s): %s", error, self._place)
        self.close()


def _stamp(path: str) -> _Stamp:
    try:
        status = os.stat(path)
    except OSError:
        return (-1, -1)
    return (status.st_size, status.st_mtime_ns)


def _pack(entry: Entry) -> str:
    images = [header[1:] for header in entry.images]
    other = entry.other and entry.other[1:]
    return json.dumps([images, other], separators=(",", ":"))


def _unpack(path: str, text: str) -> Entry | None:
    try:
        images, other = json.loads(text)
        return Entry(
            path,
            tuple(Header(path, *map(_frozen, values)) for values in images),
            Other(path, *map(_frozen, other)) if other else None,
        )
    except (ValueError, TypeError):
        return None


def _frozen(value: Any) -> Any:
    if isinstance(value, str):
        return intern(value)
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
