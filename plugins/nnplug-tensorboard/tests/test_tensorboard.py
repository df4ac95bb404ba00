"""TensorBoard's own reader finds what was told."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from nnplug.runs import RunInfo
from nnplug_tensorboard.options import TensorboardOptions
from nnplug_tensorboard.tracker import TensorboardTracker


def run(folder: Path) -> RunInfo:
    return RunInfo("7", "train", "net/task/fold_0", folder, {"seed": 5}, ("core",), False)


def read(folder: Path) -> EventAccumulator:
    found = EventAccumulator(str(folder))
    found.Reload()
    return found


def scalars(folder: Path, name: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in read(folder).Scalars(name)]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.new("P", (30, 20)).save(tmp_path / "patch.png")
    return tmp_path / "patch.png"


def test_scalars_pictures_and_config(tmp_path: Path, picture: Path) -> None:
    tracker = TensorboardTracker(TensorboardOptions(folder=tmp_path / "board"))
    tracker.open(run(tmp_path))
    tracker.log(1, 1000.5, {"train_loss": 0.5, "dice.core": 0.25}, {})
    tracker.log(2, 1010.5, {"train_loss": 0.25, "dice.core": 0.5}, {"patch": picture})
    tracker.close("finished", {"validation.mean_dice": 0.75})
    folder = tmp_path / "board" / "net/task/fold_0"
    assert scalars(folder, "train_loss") == [(1, 0.5), (2, 0.25)]
    assert scalars(folder, "dice/core") == [(1, 0.25), (2, 0.5)]
    assert scalars(folder, "validation/mean_dice") == [(2, 0.75)]
    found = read(folder)
    assert found.Scalars("train_loss")[0].wall_time == 1000.5
    (image,) = found.Images("patch")
    assert (image.step, image.width, image.height) == (2, 30, 20)
    assert Image.open(io.BytesIO(image.encoded_image_string)).size == (30, 20)
    (config,) = found.Tensors("config")
    assert json.loads(config.tensor_proto.string_val[0].decode().strip("`\n")) == {"seed": 5}
    assert found.Tensors("status")[0].tensor_proto.string_val[0] == b"finished"


def test_epochs_that_come_again_replace_the_earlier_ones(tmp_path: Path) -> None:
    first = TensorboardTracker(TensorboardOptions())
    first.open(run(tmp_path))
    for epoch in (1, 2, 3):
        first.log(epoch, float(epoch), {"loss": 1.0}, {})
    first.close("interrupted", {})
    second = TensorboardTracker(TensorboardOptions())
    second.open(run(tmp_path))
    second.log(2, 12.0, {"loss": 2.0}, {})
    second.log(3, 13.0, {"loss": 2.0}, {})
    second.log(3, 14.0, {"loss": 3.0}, {})
    assert scalars(tmp_path / "tensorboard", "loss") == [(1, 1.0), (2, 2.0), (3, 3.0)]


def test_the_end_can_be_told_by_a_later_process(tmp_path: Path) -> None:
    first = TensorboardTracker(TensorboardOptions())
    first.open(run(tmp_path))
    first.log(1, 1.0, {"loss": 1.0}, {})
    second = TensorboardTracker(TensorboardOptions())
    second.open(run(tmp_path))
    second.close("failed", {})
    assert scalars(tmp_path / "tensorboard", "loss") == [(1, 1.0)]


def test_neither_torch_nor_tensorflow_is_loaded() -> None:
    code = (
        "import sys, nnplug_tensorboard.tracker\n"
        "assert not {'torch', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
