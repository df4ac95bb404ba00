"""The quick recipe on a tiny made-up task: life cycle, checkpoints, options, augmentation."""

from __future__ import annotations

import json
import math
import pickle
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from nnplug_trainers import augmentation
from nnplug_trainers.ema import WeightAverage
from nnplug_trainers.quick import QuickOptions, learning_rate, nnUNetTrainerV2_Quick

SHAPE = (12, 18, 14)
PATCH = (8, 16, 16)


@pytest.fixture(autouse=True)
def _numpy_scalars_may_load() -> Iterator[None]:
    """nnU-Net's own checkpoint entries hold numpy scalars; nothing else is allowed."""
    scalar = np.float32(0).__reduce__()[0]
    allowed: list[Any] = [
        scalar,
        (scalar, "numpy.core.multiarray.scalar"),
        np.dtype,
        np.dtypes.Float32DType,
        np.dtypes.Float64DType,
    ]
    with torch.serialization.safe_globals(allowed):
        yield


def make_task(root: Path, dims: int) -> Path:
    """Five preprocessed cases with a bright box to find, and plans for a small U-Net."""
    rng = np.random.default_rng(0)
    folder, gt = root / "Task999_Box", root / "Task999_Box" / "gt_segmentations"
    stage = folder / "nnUNetData_plans_v2.1_stage0"
    stage.mkdir(parents=True)
    gt.mkdir()
    for i in range(5):
        seg = np.zeros(SHAPE, np.float32)
        seg[3:9, 4 + i : 12 + i, 3:10] = 1
        data = np.stack([rng.normal(0, 0.3, SHAPE).astype(np.float32) + seg, seg])
        np.savez_compressed(stage / f"box_{i}.npz", data=data)
        image = sitk.GetImageFromArray(seg.astype(np.uint8))
        sitk.WriteImage(image, str(gt / f"box_{i}.nii.gz"))
        properties = {
            "class_locations": {1: np.argwhere(seg == 1)},
            "list_of_data_files": [f"{root}/box_{i}_0000.nii.gz"],
            "original_size_of_raw_data": np.array(SHAPE),
            "size_after_cropping": SHAPE,
            "crop_bbox": [[0, s] for s in SHAPE],
            "original_spacing": np.ones(3),
            "spacing_after_resampling": np.ones(3),
            "itk_origin": [0.0] * 3,
            "itk_spacing": [1.0] * 3,
            "itk_direction": [1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0],
        }
        (stage / f"box_{i}.pkl").write_bytes(pickle.dumps(properties))
    pools = [[1, 2, 2], [2, 2, 2]] if dims == 3 else [[2, 2], [2, 2]]
    plans = {
        "plans_per_stage": {
            0: {
                "batch_size": 2,
                "num_pool_per_axis": [1, 2, 2][-dims:],
                "patch_size": np.array(PATCH[-dims:]),
                "do_dummy_2D_data_aug": False,
                "pool_op_kernel_sizes": pools,
                "conv_kernel_sizes": [[3] * dims] * 3,
            }
        },
        "base_num_features": 4,
        "conv_per_stage": 2,
        "num_modalities": 1,
        "num_classes": 1,
        "all_classes": [1],
        "data_identifier": "nnUNetData_plans_v2.1",
        "dataset_properties": {"intensityproperties": None},
        "normalization_schemes": OrderedDict({0: "nonCT"}),
        "use_mask_for_norm": OrderedDict({0: False}),
        "keep_only_largest_region": None,
        "min_region_size_per_class": None,
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
    }
    (folder / "plans.pkl").write_bytes(pickle.dumps(plans))
    return folder


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_task(tmp_path_factory.mktemp("box"), 3)


def make_trainer(task: Path, out: Path, **options: Any) -> Any:
    trainer = nnUNetTrainerV2_Quick(
        str(task / "plans.pkl"), 0, str(out), str(task), stage=0, fp16=torch.cuda.is_available()
    )
    trainer.options = QuickOptions(**options)
    trainer.max_num_epochs = trainer.num_batches_per_epoch = 2
    trainer.num_val_batches_per_epoch = 1
    return trainer


@pytest.fixture(scope="module")
def trained(task: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    trainer = make_trainer(task, tmp_path_factory.mktemp("trained"), mirror=True)
    trainer.initialize(True)
    trainer.run_training()
    return trainer


def read(trainer: Any, name: str = "model_final_checkpoint") -> dict[str, Any]:
    path = Path(trainer.output_folder) / f"{name}.model"
    loaded: dict[str, Any] = torch.load(path, weights_only=True)
    return loaded


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"ema": 1.0}, ValueError),
        ({"ema": -0.1}, ValueError),
        ({"ema": math.nan}, ValueError),
        ({"weight_decay": -1.0}, ValueError),
        ({"weight_decay": math.inf}, ValueError),
        ({"warmup": 0.6}, ValueError),
        ({"mirror": 1}, TypeError),
        ({"ema": "0.9"}, TypeError),
        ({"warmup": True}, TypeError),
    ],
)
def test_options_out_of_range(values: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(values))):
        QuickOptions(**values)


def test_options_at_the_ends() -> None:
    QuickOptions(ema=0, weight_decay=0, warmup=0)
    QuickOptions(warmup=0.5)


def test_learning_rate() -> None:
    rates = [learning_rate(s, 100, 1.0, 0.1) for s in range(101)]
    assert rates[:10] == sorted(rates[:10])
    assert rates[0] > 0
    assert max(rates) == rates[10] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[100] == pytest.approx(0)
    assert learning_rate(0, 100, 1.0, 0.0) == 1.0
    assert learning_rate(150, 100, 1.0, 0.1) == pytest.approx(0)


def test_weight_average() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    average = WeightAverage(network, 0.5)
    values = [3.0, 5.0, 9.0]
    for step, value in enumerate(values):
        torch.nn.init.constant_(network.weight, value)
        average.update(step)
    expected = 3.0 * 0.1 + 5.0 * 0.9
    expected = expected * 2 / 11 + 9.0 * 9 / 11
    assert average.average[0].item() == pytest.approx(expected)
    with average.applied() as raw:
        assert network.weight.item() == pytest.approx(expected)
        assert raw[0].item() == 9.0
    assert network.weight.item() == 9.0


def test_resample_identity_and_quarter_turn() -> None:
    data = torch.randn(2, 6, 8, 8)
    seg = torch.randint(-1, 3, (1, 6, 8, 8)).float()
    image, label = augmentation.resample(
        data, seg, augmentation.affine_matrix([0.0] * 3, [1.0] * 3), (6, 8, 8)
    )
    torch.testing.assert_close(image, data)
    torch.testing.assert_close(label, seg)
    turn = augmentation.affine_matrix([math.pi / 2, 0.0, 0.0], [1.0] * 3)
    image, label = augmentation.resample(data, seg, turn, (6, 8, 8))
    expected = [torch.rot90(data, k, (2, 3)) for k in (1, 3)]
    matches = [torch.allclose(image, e, atol=1e-4) for e in expected]
    assert sum(matches) == 1
    torch.testing.assert_close(label, torch.rot90(seg, (1, 3)[matches.index(True)], (2, 3)))


def test_resample_zoom_and_outside() -> None:
    data, seg = torch.zeros(1, 16, 16), torch.zeros(1, 16, 16)
    data[0, 4:12, 4:12] = seg[0, 4:12, 4:12] = 1
    matrix = augmentation.affine_matrix([0.0], [2.0, 2.0])
    image, label = augmentation.resample(data, seg, matrix, (16, 16))
    assert label.eq(1).sum() == 16
    assert image.sum() == pytest.approx(16, abs=4)
    assert label[0, 0, 0] == -1


@pytest.mark.parametrize("dims", [2, 3])
def test_augmenter_shapes_and_labels(dims: int) -> None:
    params = {
        "do_rotation": True,
        "do_scaling": True,
        "do_mirror": True,
        "do_gamma": True,
        "p_rot": 1.0,
        "p_scale": 1.0,
        "p_gamma": 1.0,
        "scale_range": (0.7, 1.4),
        "gamma_range": (0.7, 1.5),
        "mirror_axes": tuple(range(dims)),
        "mask_was_used_for_normalization": {0: True},
        **{f"rotation_{a}": (-0.5, 0.5) for a in "xyz"},
    }
    patch = PATCH[-dims:]
    scales = [[1.0] * dims, [0.5] * dims]
    augmenter = augmentation.Augmenter(patch, params, scales)
    bigger = [s + 5 for s in patch]
    seg = torch.randint(-1, 3, (2, 1, *bigger)).float()
    data, target = augmenter.train(torch.randn(2, 1, *bigger), seg)
    assert data.shape == (2, 1, *patch)
    assert [tuple(t.shape[2:]) for t in target] == [patch, tuple(s // 2 for s in patch)]
    assert set(target[0].flatten().tolist()) <= {0.0, 1.0, 2.0}
    assert data.isfinite().all()


def test_final_checkpoint_holds_average_and_raw_weights(trained: Any) -> None:
    checkpoint = read(trained)
    state = checkpoint["lr_scheduler_state_dict"]
    averaged = [checkpoint["state_dict"][k] for k, _ in trained.network.named_parameters()]
    assert all(
        torch.equal(a, p.detach())
        for a, p in zip(averaged, trained.network.parameters(), strict=True)
    )
    pairs = zip(averaged, state["raw_weights"], strict=True)
    assert any(not torch.equal(a, r) for a, r in pairs)
    assert state["step"] == 4
    assert QuickOptions(**state["options"]) == trained.options
    assert not any("_orig_mod" in key for key in checkpoint["state_dict"])


def test_resume_restores_everything(task: Path, tmp_path: Path) -> None:
    first = make_trainer(task, tmp_path)
    first.initialize(True)
    first.max_num_epochs = 1
    first.run_training()
    resumed = make_trainer(task, tmp_path)
    resumed.load_latest_checkpoint(train=True)
    saved = read(first)
    state = saved["lr_scheduler_state_dict"]
    for mine, raw in zip(resumed.network.parameters(), state["raw_weights"], strict=True):
        assert torch.equal(mine.detach(), raw)
    for mine, mean in zip(resumed.average.average, first.average.average, strict=True):
        assert torch.equal(mine, mean)
    moments = resumed.optimizer.state_dict()["state"]
    for index, entry in saved["optimizer_state_dict"]["state"].items():
        moment = "momentum" if "momentum" in entry else "exp_avg"
        assert torch.equal(moments[index][moment], entry[moment])
    assert (resumed.epoch, resumed.lr_scheduler.step) == (1, 2)
    resumed.maybe_update_lr()
    assert resumed.optimizer.param_groups[1]["lr"] == learning_rate(2, 4, 5e-3, 0.05)
    resumed.run_training()
    assert read(resumed)["lr_scheduler_state_dict"]["step"] == 4


def test_prediction_mirrors_as_trained(
    trained: Any, task: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    restored = nnUNetTrainerV2_Quick(*trained.init_args)
    restored.load_final_checkpoint(train=False)
    assert restored.options.mirror
    data = np.zeros((1, *SHAPE), np.float32)
    calls = []
    real = restored.network.predict_3D

    def spy(*args: Any, **kwargs: Any) -> Any:
        calls.append(kwargs["do_mirroring"])
        return real(*args, **kwargs)

    monkeypatch.setattr(restored.network, "predict_3D", spy)
    softmax = restored.predict_preprocessed_data_return_seg_and_softmax(data, verbose=False)[1]
    assert softmax.shape == (2, *SHAPE)
    restored.data_aug_params["do_mirror"] = False
    restored.predict_preprocessed_data_return_seg_and_softmax(data, verbose=False)
    assert calls == [True, False]


def test_validate_without_mirroring(task: Path, tmp_path: Path) -> None:
    trainer = make_trainer(task, tmp_path)
    trainer.max_num_epochs = 1
    trainer.initialize(True)
    trainer.run_training()
    trainer.validate(save_softmax=False, run_postprocessing_on_folds=False)
    folder = Path(trainer.output_folder) / "validation_raw"
    assert not json.loads((folder / "validation_args.json").read_text())["do_mirroring"]
    assert len(json.loads((folder / "summary.json").read_text())["results"]["all"]) == 1


def test_two_dimensional(tmp_path: Path) -> None:
    task = make_task(tmp_path, 2)
    trainer = make_trainer(task, tmp_path / "out", bf16=False)
    trainer.initialize(True)
    assert np.isfinite(trainer.run_iteration(trainer.tr_gen))
    assert np.isfinite(trainer.run_iteration(trainer.val_gen, False, True))
