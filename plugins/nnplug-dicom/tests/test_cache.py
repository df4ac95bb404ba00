"""Headers are read once, and the cache never stands in the way."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from nnplug_dicom.cases import index
from nnplug_dicom.cases.index import read_file, read_tree
from nnplug_dicom.headers import cache
from nnplug_dicom.headers.cache import cache_file


@pytest.fixture
def read(monkeypatch):
    """The names of the files that were read since this list was last cleared."""
    names = []

    def counted(path):
        names.append(Path(path).name)
        return read_file(path)

    monkeypatch.setattr(index, "read_file", counted)
    return names


def test_only_what_changed_is_read_again(tmp_path, write_series, read):
    paths = write_series(tmp_path)
    (tmp_path / "README").write_text("not DICOM")
    (tmp_path / "broken.dcm").write_text("not DICOM either")
    first = read_tree(tmp_path)
    assert len(read) == len(first.entries) == len(paths) + 2
    read.clear()
    assert read_tree(tmp_path) == first
    assert read == ["broken.dcm"], "what is broken may be mended"
    read.clear()
    os.utime(paths[0], ns=(0, 12345))
    paths[1].write_bytes(paths[2].read_bytes() + b"\0\0")
    paths[3].unlink()
    changed = read_tree(tmp_path)
    assert read == [paths[0].name, paths[1].name, "broken.dcm"]
    assert len(changed.entries) == len(first.entries) - 1
    with sqlite3.connect(cache_file(tmp_path)) as database:
        names = {name for (name,) in database.execute("SELECT name FROM files")}
    database.close()
    assert names == {os.fsencode(e.path.name) for e in changed.entries if not e.problem}


@pytest.mark.parametrize("kept", [True, False])
def test_many_files_are_read_in_parts(tmp_path, write_series, monkeypatch, kept):
    write_series(tmp_path)
    (tmp_path / "broken.dcm").write_text("not DICOM")
    expected = read_tree(tmp_path)
    monkeypatch.setattr(cache, "_FEW", 3)
    monkeypatch.setattr(cache, "_PART", 2)
    monkeypatch.setenv("NNPLUG_CACHE", str(tmp_path / "other") if kept else "off")
    parts = []

    def apply(function, items):
        parts.extend(len(item) for item in items)
        return map(function, items)

    assert read_tree(tmp_path, apply) == expected
    assert parts == [2, 2, 1]


def test_names_that_are_no_text(tmp_path, write_series, read):
    path = write_series(tmp_path, (0, 5))[0]
    path.rename(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.dcm"))
    first = read_tree(tmp_path)
    read.clear()
    assert read_tree(tmp_path) == first
    assert not read


def test_real_headers_come_back_as_they_were(data):
    for folder in data.glob("dicom_*"):
        assert read_tree(folder) == read_tree(folder)
        for entry in read_tree(folder).entries:
            assert entry == read_file(entry.file)


def test_only_the_owner_can_read_it(tmp_path, write_series, cache_folder):
    write_series(tmp_path)
    read_tree(tmp_path)
    place = cache_file(tmp_path)
    assert place.is_relative_to(cache_folder)
    assert place.stat().st_mode & 0o777 == 0o600
    assert place.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("value", ["off", "OFF", ""])
def test_it_can_be_turned_off(tmp_path, write_series, read, monkeypatch, cache_folder, value):
    monkeypatch.setenv("NNPLUG_CACHE", value)
    write_series(tmp_path)
    assert read_tree(tmp_path) == read_tree(tmp_path)
    assert len(read) == 8
    assert not list(cache_folder.iterdir())


def test_where_it_is(monkeypatch):
    monkeypatch.delenv("NNPLUG_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_file(Path("/a")).parent == Path("/somewhere/nnplug/dicom")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert cache_file(Path("/a")).parent == Path("/home/me/.cache/nnplug/dicom")
    assert cache_file(Path("/a")) != cache_file(Path("/b"))


@pytest.mark.parametrize(
    "damage",
    [
        lambda place: place.write_bytes(b"no database" * 100),
        lambda place: place.write_bytes(place.read_bytes()[:5000]),
        lambda place: _run(place, "PRAGMA user_version = 7"),
        lambda place: _run(place, "UPDATE files SET found = '[[[1]],null]'"),
        lambda place: _run(place, "UPDATE files SET found = 'nothing'"),
    ],
    ids=["no database", "cut off", "another version", "other fields", "no JSON"],
)
def test_a_damaged_cache_is_made_anew(tmp_path, write_series, read, caplog, damage):
    write_series(tmp_path, range(40))
    first = read_tree(tmp_path)
    damage(cache_file(tmp_path))
    read.clear()
    assert read_tree(tmp_path) == first
    assert len(read) == 40
    read.clear()
    assert read_tree(tmp_path) == first
    assert not read
    assert not caplog.records


def test_a_cache_that_cannot_be_written_is_ignored(tmp_path, write_series, monkeypatch, caplog):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("NNPLUG_CACHE", str(tmp_path / "file"))
    write_series(tmp_path / "case")
    assert len(read_tree(tmp_path / "case").entries) == 4
    (record,) = caplog.records
    assert "is not used" in record.message


def _run(place: Path, statement: str) -> None:
    database = sqlite3.connect(place)
    with database:
        database.execute(statement)
    database.close()
