"""A newcomer's first hour, scripted: from an empty folder to a trained model and back out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from acceptance_tools import build_wheel, install_wheels, run_command
from nnplug.scaffold.kinds import KINDS

CASES = 6
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SMALL = [
    *("trainer.epochs=1", "trainer.batches_per_epoch=2", "trainer.val_batches_per_epoch=1"),
    *("trainer.batch_size=2", "trainer.base_num_features=4", "device=cpu", "workers=2"),
]


def write_vox(source: Path, target: Path) -> None:
    """The made-up format of the generated converter."""
    image = sitk.ReadImage(str(source))
    values = sitk.GetArrayFromImage(image)
    header = {
        "size": image.GetSize(),
        "spacing": image.GetSpacing(),
        "origin": image.GetOrigin(),
        "direction": image.GetDirection(),
        "dtype": values.dtype.str,
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(json.dumps(header).encode() + b"\n" + values.tobytes())


def write_cohort(shared_data: Path, folder: Path) -> None:
    """The first cases of the hippocampus cohort in that format."""
    for kind in ("images", "labels"):
        for path in sorted((shared_data / "hippocampus" / kind).glob("*.nii.gz"))[:CASES]:
            write_vox(path, folder / kind / f"{path.name.removesuffix('.nii.gz')}.vox")


def test_the_first_hour(fresh_bin: Path, shared_data: Path, tmp_path: Path) -> None:
    def script(name: str, *arguments: str, folder: Path = tmp_path, code: int = 0) -> str:
        done = run_command([str(fresh_bin / name), *arguments], folder, code=code)
        return done.stdout + done.stderr

    python = str(fresh_bin / "python")
    script("nnplug", "new-plugin", "nnplug-mine", "--kind", "all")
    project = tmp_path / "nnplug-mine"
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}

    build_wheel(python, project, tmp_path / "wheels")
    shutil.rmtree(project / "build")
    shutil.rmtree(project / "src" / "nnplug_mine.egg-info")
    install_wheels(python, tmp_path / "wheels")
    assert "mine         ok       nnplug-mine 0.1.0" in script("nnplug", "plugins")
    assert "Success" in script("mypy", folder=project)
    assert " passed" in script("pytest", "-q", "-p", "no:cacheprovider", folder=project)
    after = {path: path.read_bytes() for path in before}
    assert after == before

    write_cohort(shared_data, tmp_path / "vox")
    chosen = ["dataset=hippocampus", "trainer=mine", "converter=mine", "planner=mine"]
    chosen += ["dataset.source=vox", *SMALL]
    more = ["trainer.options.smoothing=0.2", "experiment=mine_tracked"]
    said = script("nnplug", "train", *chosen, *more)
    assert "nnUNetTrainerV2_Mine" in said
    files = tmp_path.glob("nnplug_data/nnUNet_trained_models/nnUNet/*/*/*Mine*/fold_0/*.jsonl")
    (told,) = [path for path in files if path.name != "progress.jsonl"]
    assert [*map(json.loads, told.read_text().splitlines())][-1]["status"] == "finished"
    (model,) = tmp_path.glob("nnplug_data/nnUNet_trained_models/nnUNet/*/*/*Mine*")
    predict = [f"model={model}", "folds=[0]", "input=vox/images", "device=cpu", "workers=1"]
    predict += ["dataset=hippocampus", "converter=mine", "trainer=mine"]
    script("nnplug", "predict", *predict, "output=masks", "postprocess=[mine_clean]")
    assert len(list((tmp_path / "masks").glob("*.nii.gz"))) == CASES

    run_command([python, "-m", "pip", "uninstall", "--quiet", "--yes", "nnplug-mine"], tmp_path)
    said = script("nnplug", "train", *chosen, code=2)
    assert "'mine'" in said
    assert "available:" in said
    masks = ["input=masks", "output=again", "device=cpu"]
    said = script("nnplug", "predict", f"model={model}", *masks, code=3)
    assert "nnUNetTrainerV2_Mine" in said
    assert "nnplug-mine" in said


def test_each_kind_alone_from_wheels(fresh_bin: Path, shared_data: Path, tmp_path: Path) -> None:
    def script(name: str, *arguments: str, folder: Path = tmp_path) -> str:
        return run_command([str(fresh_bin / name), *arguments], folder).stdout

    python = str(fresh_bin / "python")
    projects = {kind: tmp_path / f"nnplug-only-{kind}" for kind in KINDS}
    for kind, project in projects.items():
        script("nnplug", "new-plugin", project.name, "--kind", kind)
        build_wheel(python, project, tmp_path / "wheels")
    install_wheels(python, tmp_path / "wheels")
    for project in projects.values():
        assert "Success" in script("mypy", folder=project)
    tests = [str(project / "tests") for project in projects.values()]
    assert " passed" in script("pytest", "-q", "-p", "no:cacheprovider", *tests)

    write_cohort(shared_data, tmp_path / "vox")
    chosen = ["dataset=hippocampus", "dataset.source=vox", "converter=only_converter"]
    chosen += ["remap=only_remapper", "remap.values=[2,1]", "planner=only_planner"]
    script("nnplug", "train", *chosen, "trainer=only_trainer", "tracking=[only_tracker]", *SMALL)
    data = tmp_path / "nnplug_data"
    converted = sorted(data.glob("nnUNet_raw_data_base/nnUNet_raw_data/*/labelsTr/*.nii.gz"))
    source = sorted((shared_data / "hippocampus" / "labels").glob("*.nii.gz"))
    old, new = (sitk.GetArrayFromImage(sitk.ReadImage(str(one[0]))) for one in (source, converted))
    assert set(np.unique(old)) == {0, 1, 2}
    np.testing.assert_array_equal(new, np.array([0, 2, 1])[old.astype(int)])
    assert list(data.glob("nnUNet_preprocessed/*/*OnlyPlanner*"))
    (model,) = data.glob("nnUNet_trained_models/nnUNet/*/*/nnUNetTrainerV2_OnlyTrainer__*")
    (told,) = [path for path in model.glob("fold_0/*.jsonl") if path.name != "progress.jsonl"]
    assert len(told.read_text().splitlines()) == 2

    predict = [*chosen, f"model={model}", "trainer=only_trainer", "folds=[0]", "input=vox/images"]
    everything = "postprocess=[{only_postprocess_clean: {voxels: 1000000}}]"
    script("nnplug", "predict", *predict, everything, "output=masks", "device=cpu", "workers=1")
    masks = [sitk.ReadImage(str(path)) for path in (tmp_path / "masks").glob("*.nii.gz")]
    assert len(masks) == CASES
    assert not any(sitk.GetArrayFromImage(mask).any() for mask in masks)
