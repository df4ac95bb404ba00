"""A newcomer's first hour, scripted: from an empty folder to a trained model and back out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import SimpleITK as sitk

from acceptance_tools import build_wheel, install_wheels, run_command

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

    for kind in ("images", "labels"):
        for path in sorted((shared_data / "hippocampus" / kind).glob("*.nii.gz"))[:6]:
            name = path.name.removesuffix(".nii.gz")
            write_vox(path, tmp_path / "vox" / kind / f"{name}.vox")
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
    assert len(list((tmp_path / "masks").glob("*.nii.gz"))) == 6

    run_command([python, "-m", "pip", "uninstall", "--quiet", "--yes", "nnplug-mine"], tmp_path)
    said = script("nnplug", "train", *chosen, code=2)
    assert "'mine'" in said
    assert "available:" in said
    masks = ["input=masks", "output=again", "device=cpu"]
    said = script("nnplug", "predict", f"model={model}", *masks, code=3)
    assert "nnUNetTrainerV2_Mine" in said
    assert "nnplug-mine" in said


def test_each_kind_alone_passes_its_own_tests(fresh_bin: Path, tmp_path: Path) -> None:
    for kind in ("converter", "remapper", "tracker", "postprocess"):
        name = f"nnplug-only-{kind}"
        run_command([str(fresh_bin / "nnplug"), "new-plugin", name, "--kind", kind], tmp_path)
        project = tmp_path / name
        assert "Success" in run_command([str(fresh_bin / "mypy")], project).stdout
        source = str(project / "src")
        run_command([str(fresh_bin / "pytest"), "-q"], project, PYTHONPATH=source)
