"""The verbs as functions: composed as the command line does, errors raised, nothing exits."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import yaml
from hydra.core.global_hydra import GlobalHydra

import nnplug
from nnplug.catalog import Catalog
from nnplug.config import app
from nnplug.config.folders import Folders
from nnplug.errors import ConfigError, SourceError

Command = Callable[..., tuple[int, str, str]]


def test_importing_nnplug_is_light() -> None:
    code = "import sys, nnplug; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"hydra", "torch", "numpy", "SimpleITK", "nnplug.api"} & set(done.stdout.split())
    assert {"train", "Predictor"} <= set(dir(nnplug))
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        nnplug.trian  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize(
    ("verb", "overrides"),
    [
        ("train", ["dataset=lunglobe", "trainer.epochs=3", "fold=2"]),
        ("predict", ["input=a", "output=b", "format={dicom_seg: {series_number: 4}}"]),
        ("convert", ["dataset=hippocampus", "converter=dicom"]),
    ],
)
def test_functions_compose_what_the_command_line_does(
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    overrides: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _ = command(verb, "--cfg", "job", "--resolve", *overrides)
    assert code == 0
    composed, _ = app.compose(verb, overrides, Catalog.build())
    printed = yaml.safe_load(out)
    for one in (composed, printed):
        one.get("sweep", {}).pop("dir", None)  # named by the second
    assert composed == printed
    assert not GlobalHydra.instance().is_initialized()


def test_functions_need_no_command_line_before_them(tmp_path: Path) -> None:
    code = (
        "from nnplug.catalog import Catalog\nfrom nnplug.config import app\n"
        "print(app.compose('train', ['dataset=lunglobe'], Catalog.build())[0]['dataset']['name'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "LungLobe\n"), done.stderr


def test_converting_evaluating_and_their_results(
    tmp_path: Path, save: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["notebook", "--nonsense"])
    for name in ("a", "b"):
        values = np.zeros((5, 6, 7), np.uint8)
        values[1:3, 1:4, 1:5] = 1
        save(tmp_path / "source" / "images" / f"{name}.nii.gz", values * 9.0 + ord(name))
        save(tmp_path / "source" / "labels" / f"{name}.nii.gz", values)
    overrides = [
        *("dataset.name=A", "dataset.task_id=300", f"dataset.source={tmp_path / 'source'}"),
        *("dataset.channels={0: CT}", "dataset.labels={background: 0, a: 1}"),
        *(f"paths.root={tmp_path / 'root'}", "workers=1", "convert.qc=false"),
    ]
    done = nnplug.convert(overrides)
    assert (done.converted, done.unchanged, done.refused) == (2, 0, [])
    assert nnplug.check(overrides).count("error") == 0
    labels = done.task / "labelsTr"
    scores = nnplug.evaluate(
        [f"reference={labels}", f"prediction={labels}", f"output={tmp_path / 'scores.json'}"]
    )
    assert scores.dice == 1
    sitk.WriteImage(sitk.Image(3, 3, sitk.sitkUInt8), str(tmp_path / "source/labels/a.nii.gz"))
    with pytest.raises(SourceError, match="case a"):
        nnplug.convert(overrides)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["dataset=nowhere"], "there is no dataset called 'nowhere'"),
        (["trainer.epoch=3", "dataset=lunglobe"], "did you mean trainer.epochs"),
        ("dataset=lunglobe", "a list is wanted here"),
    ],
)
def test_mistakes_are_raised(overrides: list[str], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        nnplug.train(overrides)
    assert words in str(caught.value)


def test_variables_that_nnplug_set_are_not_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESULTS_FOLDER", "/users/results")
    first = Folders.below(Path("/first"))
    for name, value in first.environment().items():
        monkeypatch.setenv(name, value)
        monkeypatch.delenv(name)
    monkeypatch.setenv("RESULTS_FOLDER", "/users/results")
    first.announce()
    second = Folders.below(Path("/second"))
    assert second.preprocessed == Path("/second/nnUNet_preprocessed")
    assert second.results == Path("/users/results")


def test_bundles_and_scans_as_functions(
    shared_data: Callable[[str], Path], save: Callable[..., Path], tmp_path: Path
) -> None:
    bundle, root = shared_data("models_v1") / "hippocampus.zip", f"paths.root={tmp_path / 'root'}"
    (model,) = nnplug.bundle_import([str(bundle), root])
    assert model.name == "3d_fullres/Task504_Hippocampus/nnUNetTrainerV2__nnUNetPlansv2.1"
    assert model.folder.is_dir()
    assert nnplug.bundle_list([root]) == [model]
    written = nnplug.bundle_export([model.name, root, f"output={tmp_path / 'b.zip'}"])
    assert written.sha256 == hashlib.sha256(written.file.read_bytes()).hexdigest()
    with pytest.raises(ConfigError, match="there already"):
        nnplug.bundle_export([model.name, root, f"output={tmp_path / 'b.zip'}"])
    save(tmp_path / "scans" / "images" / "a.nii.gz", np.zeros((5, 6, 7)))
    assert list(nnplug.scan(tmp_path / "scans")) == ["nifti"]
