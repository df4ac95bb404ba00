"""Which converter a source is for, where several plugins know its files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from nnplug.errors import SourceError
from nnplug.hookspecs import hookimpl
from nnplug.stages.sources import choose, claims
from nnplug.testing.host import isolated
from nnplug.types import ConverterSpec


class Claims:
    """A plugin whose converter recognises everything."""

    def __init__(self, refines: str) -> None:
        self.refines = refines

    @hookimpl
    def nnplug_converters(self) -> Iterable[ConverterSpec]:
        return [ConverterSpec("tidy", "nowhere:Tidy", refines=self.refines)]

    @hookimpl
    def nnplug_detect(self, source: Path) -> Iterable[str]:
        return ["tidy"] if any(source.iterdir()) else []


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.nii.gz").touch()
    return tmp_path


def test_a_converter_that_refines_another_is_meant(source: Path) -> None:
    catalog = isolated(Claims("nifti"))
    assert claims(source, catalog) == ["tidy"]
    assert choose(source, catalog).spec.name == "tidy"


@pytest.mark.parametrize("refines", ["", "tidier"])
def test_others_are_asked_for(source: Path, refines: str) -> None:
    catalog = isolated(Claims(refines))
    assert claims(source, catalog) == ["nifti", "tidy"]
    with pytest.raises(SourceError, match="several converters"):
        choose(source, catalog)
