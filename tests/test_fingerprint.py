"""Files that were touched, came or went are noticed; others are not read again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nnplug.data import fingerprint
from nnplug.errors import SourceError


@pytest.fixture
def series(tmp_path: Path) -> Path:
    (tmp_path / "series" / "inner").mkdir(parents=True)
    for name in ("b", "a", "inner/c"):
        (tmp_path / "series" / name).write_text(name)
    return tmp_path / "series"


def test_folders_are_listed_with_all_that_is_in_them(series: Path) -> None:
    found = fingerprint.listed([series / "b", series])
    assert found == [str(series / name) for name in ("b", "a", "b", "inner/c")]
    with pytest.raises(SourceError, match="the file is gone"):
        fingerprint.listed([series / "z"])


def test_what_came_went_or_changed_is_noticed(series: Path) -> None:
    def same() -> bool:
        return fingerprint.untouched(fingerprint.listed([series]), before)

    before = fingerprint.states(fingerprint.listed([series]))
    assert same()
    (series / "d").touch()
    assert not same()
    (series / "d").unlink()
    assert same()
    (series / "a").rename(series / "e")
    assert not same()
    (series / "e").rename(series / "a")
    assert same()
    os.utime(series / "a", ns=(1, 1))
    assert not same()


def test_only_touched_files_are_read(series: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = fingerprint.listed([series])
    before = fingerprint.states(files)
    os.utime(series / "a", ns=(1, 1))
    read: list[str] = []
    whole = fingerprint.content_hash
    monkeypatch.setattr(
        fingerprint, "content_hash", lambda path: read.append(Path(path).name) or whole(path)
    )
    after = fingerprint.states(files, before)
    assert read == ["a"]
    assert [state[3] for state in after] == [state[3] for state in before]
    assert after[0][2] == 1
