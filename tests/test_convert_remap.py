"""Remapping as users write it: chains in the config, warnings, and the record of the way back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from nnplug.catalog import Catalog
from nnplug.config.settings import Choice, DataSettings
from nnplug.errors import PluginError, SourceError
from nnplug.stages import convert

Make = Callable[..., DataSettings]
Cohort = Callable[..., Path]
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    pytest.importorskip("nnplug_labels")
    return Catalog.build()


def way_back(task: Path) -> Any:
    return json.loads((task / "nnplug_labels.json").read_text())


def test_a_prostate_with_five_values_becomes_consecutive_and_back(
    shared_data: Callable[[str], Path], settings: Make, catalog: Catalog, tmp_path: Path
) -> None:
    folder = shared_data("nrrd_pyradiomics")
    for kind, ending in (("images", ""), ("labels", "-label")):
        (tmp_path / "source" / kind).mkdir(parents=True)
        file = folder / f"prostate_phantom_subvolume{ending}.nrrd"
        shutil.copy(file, tmp_path / "source" / kind / "p.nrrd")
    made = settings(
        tmp_path / "source",
        converter=Choice("mha"),
        labels={"background": 0, "a": 1, "b": 2, "c": 3, "d": 4},
        remap=Choice("keep", {"values": [1, 7, 8, 9]}),
    )
    task = convert.run(made, catalog).task
    got = sitk.GetArrayFromImage(sitk.ReadImage(str(task / "labelsTr" / "Toy_000.nii.gz")))
    before = sitk.GetArrayFromImage(
        sitk.ReadImage(str(folder / "prostate_phantom_subvolume-label.nrrd"))
    )
    assert np.unique(before).tolist() == [0, 1, 7, 8, 9]
    assert np.unique(got).tolist() == [0, 1, 2, 3, 4]
    back = way_back(task)
    assert back["lost"] == ""
    restored = np.vectorize({int(new): old for new, old in back["values"].items()}.get)(got)
    np.testing.assert_array_equal(restored, before)


def test_a_chain_of_the_command_line(command: Command, cohort: Cohort, toy_task: Path) -> None:
    pytest.importorskip("nnplug_labels")
    code, _, err = command(
        *("convert", "converter=nifti", f"dataset.source={cohort('p1')}", "paths.root=root"),
        *("dataset.name=Toy", "dataset.task_id=301", "dataset.channels={0: CT}"),
        *("dataset.labels={background: 0, all: 1}", "remap=chain"),
        "remap.steps=[{merge: {merge: {5: [1, 2, 77]}}}, largest_component, {binarize: {}}]",
    )
    assert code == 0, err
    assert "remap=merge names values that no case has: 77" in err
    label = sitk.GetArrayFromImage(sitk.ReadImage(str(toy_task / "labelsTr" / "Toy_000.nii.gz")))
    assert np.unique(label).tolist() == [0, 1]
    assert way_back(toy_task) == {"values": None, "lost": "1 and 2 were merged into 1"}


MISTAKES = [
    ("[{tabel: {table: {0: 0}}}]", 3, "no remap is called 'tabel'"),
    ("[{table: {tabel: {0: 0}}}]", 2, "remap.steps[0].table.tabel: there is no such key"),
    ("[largest_component, {keep: {values: [0]}}]", 2, "remap.steps[1].keep: values are wanted"),
    ("[{keep: 3}]", 2, "remap.steps[0].keep: options and values"),
    ("[[keep]]", 2, "remap.steps[0]: NAME or {NAME: {OPTION: VALUE}}"),
    ("[]", 2, "remap.steps: a list of remappers"),
    ("keep", 2, "remap.steps: a list of remappers"),
]


@pytest.mark.parametrize(("steps", "code", "text"), MISTAKES)
def test_a_chain_that_cannot_be_used(command: Command, steps: str, code: int, text: str) -> None:
    pytest.importorskip("nnplug_labels")
    given = ("dataset=hippocampus", "remap=chain", f"remap.steps={steps}")
    got, _, err = command("convert", *given)
    assert (got, text in err) == (code, True), err


def test_an_unmapped_value_names_its_case(cohort: Cohort, settings: Make, catalog: Catalog) -> None:
    made = settings(cohort("p1"), remap=Choice("table", {"table": {0: 0, 1: 1}}))
    with pytest.raises(SourceError, match=r"remap=table has no place for: 2 \(4 voxels\)") as info:
        convert.run(made, catalog)
    assert info.value.where == "case p1"


def test_the_record_goes_when_the_values_are_the_sources(
    cohort: Cohort, settings: Make, catalog: Catalog, toy_task: Path
) -> None:
    source = cohort("p1")
    swapped = Choice("table", {"table": {0: 0, 1: 2, 2: 1}})
    convert.run(settings(source, remap=swapped), catalog)
    assert way_back(toy_task)["values"] == {"0": 0, "1": 2, "2": 1}
    assert convert.run(settings(source, remap=swapped), catalog).unchanged == 1
    assert way_back(toy_task)["values"] == {"0": 0, "1": 2, "2": 1}
    assert convert.run(settings(source), catalog).converted == 1
    assert not (toy_task / "nnplug_labels.json").exists()


def test_a_remapper_that_is_none_is_told_with_its_plugin(
    cohort: Cohort, settings: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib.metadata import EntryPoint

    from nnplug.plugins import Host

    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "odd_plugin.py").write_text(
        "from nnplug.hookspecs import hookimpl\n"
        "from nnplug.types import RemapperSpec\n"
        "@hookimpl\n"
        "def nnplug_remappers():\n"
        "    return [RemapperSpec('odd', 'odd_plugin:Odd')]\n"
        "class Odd:\n"
        "    pass\n"
    )
    catalog = Catalog.build(Host.load([EntryPoint("odd", "odd_plugin", "nnplug")]))
    with pytest.raises(PluginError, match=r"neither value\(\) and keys nor apply\(\)"):
        convert.run(settings(cohort("p1"), remap=Choice("odd")), catalog)
