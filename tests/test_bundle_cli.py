"""nnplug bundle: models go out as files and come in again, on the command line."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import torch

Command = Callable[..., tuple[int, str, str]]
OLD = {
    "hippocampus": "3d_fullres/Task504_Hippocampus/nnUNetTrainerV2__nnUNetPlansv2.1",
    "sarcoma_pet": "3d_fullres/Task505_SarcomaPET/nnUNetTrainerV2__nnUNetPlansv2.1",
}
HIPPOCAMPUS = OLD["hippocampus"]


@pytest.fixture
def models_v1(shared_data: Callable[[str], Path]) -> Path:
    return shared_data("models_v1")


def nnplug(folder: Path, *arguments: str) -> str:
    """Run nnplug in a process of its own; returns its standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "nnplug", *arguments], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("import", "--json", "FILE", "paths.root=here"),
        ("--json", "import", "paths.root=here", "FILE"),
        ("import", "FILE", "paths.root=here", "--json"),
    ],
)
def test_words_come_in_any_order(
    command: Command, models_v1: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    bundle = str(models_v1 / "hippocampus.zip")
    code, out, _ = command("bundle", *(bundle if word == "FILE" else word for word in words))
    assert code == 0
    content = json.loads(out)
    assert content["name"] == HIPPOCAMPUS
    assert Path(content["models"][0]["folder"]).is_dir()
    code, out, _ = command("bundle", "list", "--json", "paths.root=here")
    assert [model["name"] for model in json.loads(out)] == [HIPPOCAMPUS]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 2),
        (("install", "x.zip"), 2),
        (("import",), 2),
        (("import", "absent.zip"), 2),
        (("import", "junk.zip", "another.zip"), 2),
        (("import", "junk.zip", "max_gb=many"), 2),
        (("import", "junk.zip", "max_size=3"), 2),
        (("import", "junk.zip"), 5),
        (("import", "junk.zip", "--trust", "abc"), 5),
        (("list", "--trust", "abc"), 2),
        (("export", "output=x.zip"), 2),
        (("export", "Nothing", "output=x.zip"), 2),
        (("export", "Nothing"), 2),
    ],
)
def test_mistakes_are_explained(
    command: Command, tmp_path: Path, words: tuple[str, ...], code: int
) -> None:
    (tmp_path / "junk.zip").write_bytes(b"junk")
    found, out, err = command("bundle", *words)
    assert (found, out) == (code, "")
    assert err.startswith("nnplug: ")
    assert "\n  -> " in err
    assert [path.name for path in tmp_path.iterdir()] == ["junk.zip"]


def test_a_hostile_bundle_is_refused(command: Command, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return os.system, ("touch marker",)

    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr(f"{HIPPOCAMPUS}/plans.pkl", pickle.dumps(Evil()))
    code, out, err = command("bundle", "import", "evil.zip", "paths.root=here")
    assert (code, out) == (5, "")
    assert "evil.zip" in err
    assert "posix.system" in err
    assert [path.name for path in tmp_path.iterdir()] == ["evil.zip"]


def test_a_trainer_that_is_not_installed_is_named(command: Command, tmp_path: Path) -> None:
    name = "2d/Task301_Toy/TheirTrainer__nnUNetPlansv2.1"
    origin = {"owner": "their-package", "version": "1.2", "class": "theirs.TheirTrainer"}
    plans = {"plans_per_stage": {}}
    info = {"init": (), "name": "TheirTrainer", "plans": plans, "nnplug": origin}
    folder = tmp_path / "before" / "nnUNet_trained_models" / "nnUNet" / name
    (folder / "fold_0").mkdir(parents=True)
    (folder / "plans.pkl").write_bytes(pickle.dumps(plans))
    weights = folder / "fold_0" / "model_final_checkpoint.model"
    torch.save({"state_dict": {"a": torch.ones(2)}}, weights)
    Path(f"{weights}.pkl").write_bytes(pickle.dumps(info))
    export = ("bundle", "export", "paths.root=before", "output=x.zip", "dataset=toy")
    assert command(*export, "network=3d_fullres")[0] == 2
    assert command(*export, "folds=[1]")[0] == 2
    assert command(*export, "folds=[0]")[0] == 0
    assert command(*export)[0] == 2
    code, out, err = command("bundle", "import", "x.zip", "paths.root=here")
    assert (code, out) == (0, f"{name}\n")
    assert "their-package==1.2" in err
    assert command("bundle", "import", "x.zip", "paths.root=here")[0] == 5
    (tmp_path / "in").mkdir()
    sitk.WriteImage(sitk.Image(4, 4, 4, sitk.sitkInt16), str(tmp_path / "in" / "a.nii.gz"))
    predict = ("predict", "model=toy", "input=in", "output=out", "paths.root=here", "device=cpu")
    done = subprocess.run(
        [sys.executable, "-m", "nnplug", *predict], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 3
    assert "their-package 1.2" in done.stderr


def test_a_cascade_without_its_first_stage_says_so(command: Command, tmp_path: Path) -> None:
    """Stock nnU-Net packs the two stages one by one."""
    name = "3d_cascade_fullres/Task301_Toy/nnUNetTrainerV2CascadeFullRes__nnUNetPlansv2.1"
    plans: dict[str, Any] = {"plans_per_stage": {}}
    init = ("plans.pkl", 0, "fold_0", "Task301_Toy", True, 1, True, True, "nnUNetTrainerV2", True)
    info = {"init": init, "name": "nnUNetTrainerV2CascadeFullRes", "plans": plans}
    torch.save({"state_dict": {"a": torch.ones(2)}}, tmp_path / "weights")
    weights = f"{name}/fold_0/model_final_checkpoint.model"
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(f"{name}/plans.pkl", pickle.dumps(plans))
        archive.writestr(f"{weights}.pkl", pickle.dumps(info))
        archive.write(tmp_path / "weights", weights)
    code, out, err = command("bundle", "import", "x.zip", "--json")
    assert (code, json.loads(out)["name"]) == (0, name)
    first = "3d_lowres/Task301_Toy/nnUNetTrainerV2__nnUNetPlansv2.1"
    assert f"first stage is needed too: {first}" in err
    code, out, err = command("bundle", "export", name, "output=y.zip")
    assert (code, out) == (5, "")
    assert f"the cascade's first stage is not there: {first}" in err
    assert not (tmp_path / "y.zip").exists()


def test_stock_installs_and_restores_what_was_exported(
    command: Command, models_v1: Path, tmp_path: Path
) -> None:
    assert command("bundle", "import", str(models_v1 / "hippocampus.zip"))[0] == 0
    code, out, _ = command("bundle", "export", "504", "licence=CC-BY-SA-4.0", "output=x.zip")
    assert (code, out) == (0, f"{tmp_path / 'x.zip'}\n")
    ours = tmp_path / "nnplug_data" / "nnUNet_trained_models" / "nnUNet" / HIPPOCAMPUS
    stock = textwrap.dedent(
        f"""
        import numpy as np, torch
        from nnunet.inference.pretrained_models.download_pretrained_model import (
            install_model_from_zip_file)
        from nnunet.paths import network_training_output_dir
        from nnunet.training.model_restore import load_model_and_checkpoint_files
        install_model_from_zip_file("x.zip")
        # As docs/interchange.md says, with numpy's older name for it as well.
        scalar = np.float64(0).__reduce__()[0]
        kinds = [type(np.dtype(kind)) for kind in ("float32", "float64", "int64")]
        older = (scalar, "numpy.core.multiarray.scalar")
        torch.serialization.add_safe_globals([scalar, older, np.dtype, *kinds])
        trainer, params = load_model_and_checkpoint_files(
            network_training_output_dir + "/{HIPPOCAMPUS}", None, False, "model_final_checkpoint")
        trainer.load_checkpoint_ram(params[0], False)
        print(trainer.plans["num_modalities"], trainer.plans["transpose_forward"])
        torch.save(trainer.network.state_dict(), "restored.pt")
        """
    )
    folders = ("nnUNet_raw_data_base", "nnUNet_preprocessed", "RESULTS_FOLDER")
    variables = {name: str(tmp_path / "stock" / name) for name in folders}
    subprocess.run(
        [sys.executable, "-c", stock], cwd=tmp_path, check=True, env={**os.environ, **variables}
    )
    restored = torch.load(tmp_path / "restored.pt", weights_only=True)
    from nnplug.engine.safe import load_checkpoint

    weights = load_checkpoint(ours / "fold_0" / "model_final_checkpoint.model")["state_dict"]
    assert list(restored) == list(weights)
    assert all(torch.equal(restored[name], weights[name]) for name in weights)


@pytest.mark.slow
@pytest.mark.parametrize("which", OLD)
def test_an_old_model_predicts_what_it_predicted(
    models_v1: Path, tmp_path: Path, which: str
) -> None:
    """Import, export, import below another root: the masks of the old stack, voxel by voxel."""
    bundle = models_v1 / f"{which}.zip"
    assert nnplug(tmp_path, "bundle", "import", str(bundle)) == f"{OLD[which]}\n"
    nnplug(tmp_path, "bundle", "export", OLD[which], "output=again.zip")
    name = nnplug(tmp_path, "bundle", "import", "again.zip", "paths.root=other").strip()
    (tmp_path / "in").mkdir()
    for path in sorted((models_v1 / which / "images").iterdir())[:2]:
        (tmp_path / "in" / path.name).symlink_to(path)
    words = ("input=in", "output=out", "device=cpu", "workers=1")
    nnplug(tmp_path, "predict", f"model={name}", "paths.root=other", *words)
    masks = sorted((tmp_path / "out").glob("*.nii.gz"))
    assert len(masks) == 2
    for mask in masks:
        reference = sitk.ReadImage(str(models_v1 / which / "predicted" / mask.name))
        found = sitk.GetArrayFromImage(sitk.ReadImage(str(mask)))
        assert np.array_equal(found, sitk.GetArrayFromImage(reference))
        assert found.any()
