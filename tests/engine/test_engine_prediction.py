"""Prediction: stock's masks, models of plugins, and cases that fail alone."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path

import pytest

HEAD = """
from pathlib import Path
import numpy as np
import SimpleITK as sitk
from engine_job import *
from nnplug.engine import prediction
from nnplug.errors import NnplugError
f, device = enter()
def voxels(path):
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
"""


PLUGIN = """
from dataclasses import dataclass
from nnunet.training.network_training.nnUNetTrainerV2 import nnUNetTrainerV2

@dataclass
class Options:
    mirror: bool = True

class TinyTrainer(nnUNetTrainerV2):
    def setup_DA_params(self):
        super().setup_DA_params()
        self.data_aug_params["do_mirror"] = self.options.mirror
"""


@pytest.fixture(scope="module")
def plugin_model(planned, tmp_path_factory, run_python) -> Path:
    """Results of a plugin's trainer that trains without mirroring, for one epoch."""
    results = tmp_path_factory.mktemp("plugin")
    (results / "tiny_plugin.py").write_text(PLUGIN)
    code = f"""
    import sys
    sys.path.insert(0, {str(results)!r})
    from engine_job import *
    from nnplug.engine import mounting, training
    """
    code = textwrap.dedent(code) + textwrap.dedent(
        """
        f, device = enter()
        import tiny_plugin
        cls = mounting.mount(mounting.TRAINER, "tiny_plugin:TinyTrainer", "tiny")
        changes = dict(trainer=cls.__name__, options=tiny_plugin.Options(False), epochs=1)
        training.run(f, device, job(record={"owner": "pytest", "version": "3"}, **changes),
                     on_epoch=print, log=f.results / "log")
        """
    )
    run_python(code, planned, results=results)
    return results


def test_a_plugins_model(planned, plugin_model, tmp_path, run_python):
    code = HEAD + textwrap.dedent(
        f"""
        import sys
        sys.path.insert(0, {str(plugin_model)!r})
        folder = next(f.models.glob("3d_fullres/*/*"))
        try:
            prediction.load_model(folder, None, device=device)
        except NnplugError as error:
            print(type(error).__name__, "TinyTrainer" in str(error), "pytest 3" in str(error))
        from nnplug.engine import mounting
        mounting.mount(mounting.TRAINER, "tiny_plugin:TinyTrainer", "tiny")
        import tiny_plugin
        def options(record):
            return tiny_plugin.Options(**record["options"])
        model = prediction.load_model(folder, [0], device=device, find_options=options)
        print(model.mirrored, model.trainer.options, model.record["version"])
        images = f.task(TASK) / "imagesTr"
        two = lambda n: tuple(images / f"c{{n}}_{{c:04}}.nii.gz" for c in (0, 1))
        cases = [prediction.PredictCase("c0", two(0)), prediction.PredictCase("one", two(1)[:1]),
                 prediction.PredictCase("gone", (Path("no_0000.nii.gz"), Path("no_0001.nii.gz"))),
                 prediction.PredictCase("c1", two(1))]
        damaged = f.results / "damaged_0000.nii.gz"
        damaged.write_bytes(b"nothing")
        cases.insert(1, prediction.PredictCase("bad", (damaged, two(1)[1])))
        out = f.results / "out"
        for workers in (1, 2):
            results = prediction.predict(model, cases, out, workers=workers, softmax=True,
                                         on_case=lambda result: print(result.name))
            for result in results:
                print(result.name, result.mask and result.mask.name, type(result.error).__name__)
        print(sorted(path.name for path in out.iterdir()))
        try:
            prediction.predict(model, cases, out, mirroring=True)
        except NnplugError as error:
            print(type(error).__name__, "without mirroring" in str(error))
        for folds in ([3], ["all"], []):
            try:
                prediction.load_model(folder, folds, device=device)
            except NnplugError as error:
                print(type(error).__name__)
        """
    )
    lines = run_python(code, planned, results=plugin_model).splitlines()
    assert lines[0] == "PluginError True True"
    assert lines[1] == "False Options(mirror=False) 3"
    names = ["c0", "bad", "one", "gone", "c1"]
    results = [
        "c0 c0.nii.gz NoneType",
        "bad None TrainingError",
        "one None DataError",
        "gone None DataError",
        "c1 c1.nii.gz NoneType",
    ]
    assert lines[2:12] == names + results
    assert lines[12:22] == names + results
    files = [f"{case}.{end}" for case in ("c0", "c1") for end in ("nii.gz", "npz", "pkl")]
    assert lines[22] == str(files)
    assert lines[23:] == ["ConfigError True", *["DataError"] * 3]


def test_stock_predicts_ours_and_we_predict_stocks(planned, tmp_path, run_python):
    """Stock trains, then nnplug; both predict with both models and give the same masks."""
    inputs = tmp_path / "in"
    inputs.mkdir()
    images = planned / "raw" / "nnUNet_raw_data" / "Task901_Tiny" / "imagesTr"
    for channel in range(2):
        shutil.copy(images / f"c2_{channel:04}.nii.gz", inputs)
    code = HEAD + textwrap.dedent(
        """
        import sys
        from nnunet.run.default_configuration import get_default_configuration
        plans_file, output, dataset, batch_dice, stage, cls = get_default_configuration(
            "3d_fullres", TASK, "nnUNetTrainerV2", PLANS)
        trainer = cls(plans_file, 0, output_folder=output, dataset_directory=dataset,
                      batch_dice=batch_dice, stage=stage, unpack_data=True,
                      deterministic=False, fp16=False)
        trainer.max_num_epochs, trainer.num_batches_per_epoch = 1, 2
        trainer.num_val_batches_per_epoch = 1
        trainer.initialize(True)
        trainer.run_training()
        for generator in (trainer.tr_gen, trainer.val_gen):
            generator._finish()
        from nnunet.inference.predict import predict_from_folder
        import torch
        from nnplug.engine import safe, training
        folder = Path(output)
        inputs = f.results / "in"

        def compare(mirrored, name):
            ours, theirs = f.results / f"ours_{name}", f.results / f"stock_{name}"
            model = prediction.load_model(folder, None, device=device)
            files = tuple(sorted(inputs.glob("*.nii.gz")))
            prediction.predict(model, [prediction.PredictCase("c2", files)], ours,
                               mirroring=mirrored)
            with torch.serialization.safe_globals(safe._numpy_globals()):
                predict_from_folder(str(folder), str(inputs), str(theirs), [0], False, 1, 1, None,
                                    0, 1, mirrored, mixed_precision=False,
                                    overwrite_existing=True, mode="normal",
                                    overwrite_all_in_gpu=None, step_size=0.5,
                                    checkpoint_name="model_final_checkpoint")
            print("SAME", (voxels(ours / "c2.nii.gz") == voxels(theirs / "c2.nii.gz")).all())

        compare(False, "a")
        compare(True, "b")
        training.run(f, device, job(epochs=1, overwrite=True), on_epoch=print,
                     log=f.results / "log")
        compare(False, "c")
        """
    )
    lines = run_python(code, planned, results=tmp_path, strict=False).splitlines()
    assert [line for line in lines if line.startswith("SAME")] == ["SAME True"] * 3
