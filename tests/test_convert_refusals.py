"""Sources that can't be converted correctly are refused by name, with the reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnplug.catalog import Catalog
from nnplug.config.folders import Folders
from nnplug.config.settings import Choice, DataSettings
from nnplug.errors import ConfigError, DataError, NnplugError, SourceError
from nnplug.stages import convert

Cohort = Callable[..., Path]
Make = Callable[..., DataSettings]


def no_case(source: Path, save: Any) -> None:
    for path in [*source.rglob("*.nii.gz")]:
        path.unlink()


def no_label(source: Path, save: Any) -> None:
    (source / "labels" / "p2.nii.gz").unlink()


def other_grid(source: Path, save: Any) -> None:
    save(source / "labels" / "p2.nii.gz", np.ones((6, 8, 10), np.uint8), origin=(0, 0, 0))


def too_large(source: Path, save: Any) -> None:
    save(source / "labels" / "p2.nii.gz", np.ones((6, 8, 11), np.uint8))


def four_dimensional_label(source: Path, save: Any) -> None:
    import SimpleITK as sitk

    stacked = sitk.JoinSeries([sitk.Image([4, 4, 4], sitk.sitkUInt8)] * 2)
    sitk.WriteImage(stacked, str(source / "labels" / "p2.nii.gz"))


def undeclared(source: Path, save: Any) -> None:
    save(source / "labels" / "p2.nii.gz", np.full((6, 8, 10), 7, np.uint8))


def cut_short(source: Path, save: Any) -> None:
    path = source / "images" / "p2.nii.gz"
    path.write_bytes(path.read_bytes()[:-300])


def zero_bytes(source: Path, save: Any) -> None:
    (source / "images" / "p2.nii.gz").write_bytes(b"")


def four_dimensions(source: Path, save: Any) -> None:
    import SimpleITK as sitk

    stacked = sitk.JoinSeries([sitk.Image([4, 4, 4], sitk.sitkInt16)] * 2)
    sitk.WriteImage(stacked, str(source / "images" / "p2.nii.gz"))


MISTAKES = [
    (no_label, "no label"),
    (other_grid, r"not on one grid: origin \(-10, 20, 5.5\) against \(0, 0, 0\) mm"),
    (too_large, r"48 labelled voxels lie outside the image"),
    (four_dimensional_label, "dimensions|axes"),
    (undeclared, r"does not declare: 7 \(480 voxels\)"),
    (cut_short, "p2.nii.gz"),
    (zero_bytes, "empty"),
    (four_dimensions, "dimensions"),
]


@pytest.mark.parametrize(
    ("spoil", "reason"), MISTAKES, ids=lambda item: getattr(item, "__name__", "")
)
def test_a_case_that_cannot_be_converted_is_named(
    cohort: Cohort,
    settings: Make,
    core_catalog: Catalog,
    toy_task: Path,
    save: Any,
    spoil: Callable[[Path, Any], None],
    reason: str,
) -> None:
    source = cohort("p1", "p2", "p3")
    spoil(source, save)
    with pytest.raises(SourceError, match=reason) as caught:
        convert.run(settings(source), core_catalog)
    assert str(caught.value.where).startswith("case p2")
    assert not (toy_task / "dataset.json").exists()
    assert not list(toy_task.rglob("*.partial"))


def test_the_rest_goes_on_only_when_asked(
    cohort: Cohort, settings: Make, core_catalog: Catalog, toy_task: Path, save: Any
) -> None:
    source = cohort("p1", "p2", "p3")
    undeclared(source, save)
    result = convert.run(settings(source, on_error="skip"), core_catalog)
    assert result.converted == 2
    assert [error.where for error in result.refused] == ["case p2"]
    originals = [line.split(",")[1] for line in (toy_task / "case_map.csv").read_text().split()]
    assert originals == ["original", "p1", "p3"]
    assert not (toy_task / "imagesTr" / "Toy_001_0000.nii.gz").exists()


def test_a_case_that_turns_bad_takes_its_old_files_along(
    cohort: Cohort, settings: Make, core_catalog: Catalog, toy_task: Path, save: Any
) -> None:
    source = cohort("p1", "p2")
    convert.run(settings(source), core_catalog)
    undeclared(source, save)
    convert.run(settings(source, on_error="skip"), core_catalog)
    assert [path.name for path in sorted((toy_task / "labelsTr").iterdir())] == ["Toy_000.nii.gz"]


@pytest.mark.parametrize("on_error", ["stop", "skip"])
def test_a_source_without_a_usable_case_is_refused(
    cohort: Cohort, settings: Make, core_catalog: Catalog, save: Any, on_error: str
) -> None:
    source = cohort("p2")
    undeclared(source, save)
    with pytest.raises(SourceError, match=r"no case could be converted|does not declare"):
        convert.run(settings(source, on_error=on_error), core_catalog)
    no_case(source, save)
    for name in ("auto", "nifti"):
        with pytest.raises(SourceError, match=str(source)) as caught:
            convert.run(settings(source, converter=Choice(name), on_error=on_error), core_catalog)
        assert caught.value.hint


def test_a_source_that_is_not_there_is_refused(
    tmp_path: Path, settings: Make, core_catalog: Catalog
) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        convert.run(settings(tmp_path / "absent"), core_catalog)
    with pytest.raises(ConfigError, match=r"dataset\.source: where are the images"):
        convert.run(settings(None), core_catalog)
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize("area", ["raw_data", "cropped", "preprocessed", "models"])
def test_an_id_of_another_task_is_refused(
    tmp_path: Path, cohort: Cohort, settings: Make, core_catalog: Catalog, area: str
) -> None:
    place = getattr(Folders.below(tmp_path / "root"), area)
    taken = (place / "3d_fullres" if area == "models" else place) / "Task301_Other"
    taken.mkdir(parents=True)
    with pytest.raises(ConfigError, match="another task has this id: Task301_Other") as caught:
        convert.run(settings(cohort("p1")), core_catalog)
    assert str(taken) in str(caught.value.hint)


def test_an_id_that_nnunet_reserves_is_refused_unless_forced(settings: Make) -> None:
    with pytest.raises(ValueError, match=r"reserves .* dataset.force_task_id=true"):
        settings(None, task_id=99)
    assert settings(None, task_id=99, force_task_id=True).dataset.task == "Task099_Toy"


def test_more_labels_than_a_byte_holds_are_refused(settings: Make) -> None:
    with pytest.raises(ValueError, match="labels go up to 256"):
        settings(None, labels={f"part{value}": value for value in range(257)})
    assert len(settings(None, labels={f"part{v}": v for v in range(256)}).dataset.labels) == 256


@pytest.mark.parametrize("finished", [True, False])
def test_a_folder_that_somebody_else_made_is_left_alone(
    cohort: Cohort, settings: Make, core_catalog: Catalog, toy_task: Path, finished: bool
) -> None:
    foreign = toy_task / "imagesTr" / "mine_0000.nii.gz"
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(b"precious")
    if finished:
        (toy_task / "dataset.json").write_text("{}")
    before = sorted(toy_task.rglob("*"))
    with pytest.raises(DataError, match="not made by nnplug"):
        convert.run(settings(cohort("p1")), core_catalog)
    assert sorted(toy_task.rglob("*")) == before
    assert foreign.read_bytes() == b"precious"


KILLER = """
import os, signal
from nnplug.formats.nifti import NiftiConverter

class Converter(NiftiConverter):
    def read(self, case):
        if case.name == "p2":
            {deed}
        return super().read(case)
"""


@pytest.fixture
def naughty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Catalog]:
    """A catalog whose converter ``naughty`` does something bad with the case ``p2``."""
    from importlib.metadata import EntryPoint

    from nnplug.plugins import Host

    monkeypatch.syspath_prepend(tmp_path)
    plugin = """
from nnplug.hookspecs import hookimpl
from nnplug.types import ConverterSpec

@hookimpl
def nnplug_converters():
    return [ConverterSpec("naughty", "naughty_target:Converter")]
"""

    def make(deed: str) -> Catalog:
        (tmp_path / "naughty_plugin.py").write_text(plugin)
        (tmp_path / "naughty_target.py").write_text(KILLER.replace("{deed}", deed))
        monkeypatch.delitem(__import__("sys").modules, "naughty_target", raising=False)
        return Catalog.build(Host.load([EntryPoint("naughty", "naughty_plugin", "nnplug")]))

    return make


@pytest.mark.parametrize("workers", [1, 2])
def test_a_case_that_kills_its_worker_is_named_and_no_other_is_lost(
    cohort: Cohort,
    settings: Make,
    naughty: Callable[[str], Catalog],
    toy_task: Path,
    workers: int,
) -> None:
    catalog = naughty("os.kill(os.getpid(), signal.SIGKILL)")
    source = cohort("p1", "p2", "p3", "p4")
    chosen = settings(source, converter=Choice("naughty"), workers=workers)
    with pytest.raises(SourceError, match="its worker process was killed") as caught:
        convert.run(chosen, catalog)
    assert caught.value.where == "case p2"
    manifest = (toy_task / "nnplug_manifest.jsonl").read_text()
    assert all(f'"original": "{name}"' in manifest for name in ("p1", "p3", "p4"))
    assert not (toy_task / "dataset.json").exists()

    chosen = settings(source, converter=Choice("naughty"), workers=workers, on_error="skip")
    result = convert.run(chosen, catalog)
    assert (result.converted, result.unchanged) == (0, 3)
    assert [error.where for error in result.refused] == ["case p2"]


def test_a_case_whose_worker_was_killed_by_chance_is_tried_again(
    cohort: Cohort, settings: Make, naughty: Callable[[str], Catalog], tmp_path: Path
) -> None:
    once = f"p = {str(tmp_path / 'once')!r}; n = os.path.exists(p); open(p, 'w').close(); n or "
    catalog = naughty(f"{once}os._exit(1)")
    chosen = settings(cohort("p1", "p2", "p3"), converter=Choice("naughty"))
    assert convert.run(chosen, catalog).converted == 3


@pytest.mark.parametrize(
    ("deed", "reason"),
    [
        ("raise ZeroDivisionError('oh')", "ZeroDivisionError: oh"),
        ("raise MemoryError", "not enough memory"),
        ("return None", "AttributeError"),
        ("from dataclasses import replace; return replace(super().read(case), images=())", "0 im"),
    ],
)
def test_a_converter_that_fails_is_named_with_its_case(
    cohort: Cohort,
    settings: Make,
    naughty: Callable[[str], Catalog],
    deed: str,
    reason: str,
) -> None:
    catalog = naughty(deed)
    chosen = settings(cohort("p1", "p2"), converter=Choice("naughty"), on_error="skip")
    refused: list[NnplugError] = convert.run(chosen, catalog).refused
    assert [error.where for error in refused] == ["case p2"]
    assert reason in refused[0].problem
