"""Texts in picture files may name a patient."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from nnplug_png.identifiers import identifiers


@pytest.mark.parametrize("packed", [False, True])
def test_text_chunks_are_read(tmp_path: Path, packed: bool) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Patient", "Doe^Jane", zip=packed)
    Image.new("L", (4, 4)).save(tmp_path / "a.png", pnginfo=info)
    assert list(identifiers(tmp_path / "a.png")) == [("Patient", "Doe^Jane")]


@pytest.mark.parametrize("name", ["a.tif", "a.jpg"])
def test_tags_are_read(tmp_path: Path, name: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = "Doe^Jane"
    Image.new("L", (4, 4)).save(tmp_path / name, exif=exif)
    assert ("ImageDescription", "Doe^Jane") in set(identifiers(tmp_path / name))


def test_damaged_and_other_files_give_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "a.txt").write_text("Doe^Jane")
    assert list(identifiers(tmp_path / "a.png")) == []
    assert list(identifiers(tmp_path / "a.txt")) == []
