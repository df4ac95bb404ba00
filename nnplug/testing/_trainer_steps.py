"""The life of one trainer in a process of its own; prints what went wrong at each step as JSON.

Run as ``python -m nnplug.testing._trainer_steps TRAINER FOLDER [OVERRIDE ...]``.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import nnplug
from nnplug.catalog import Catalog
from nnplug.errors import ConfigError
from nnplug.testing import task
from nnplug.testing._steps import take, tell

PLACES = ("plans_file", "fold", "output_folder_base", "dataset_directory")


class Life:
    """The steps; each raises an AssertionError or whatever the trainer raises."""

    def __init__(self, name: str, folder: Path, options: list[str]) -> None:
        self.name, self.folder = name, folder
        self.words = [*task.overrides(folder), f"trainer={name}", *options]
        self.cls: Any = None
        self.result: Any = None

    def mount(self) -> None:
        """nnU-Net finds the class by its name."""
        from nnplug.config.folders import Folders
        from nnplug.engine import environment, mounting, trainers

        folders = Folders.below(self.folder / "root")
        environment.enter(folders, device="cpu", gpus=None, workers=1)
        entry = Catalog.build().trainers.get(self.name)
        parallel = entry.spec.data_parallel
        kind = mounting.trainer_kind(entry.spec)
        self.cls = mounting.mount(kind, entry.spec.target, str(entry.owner))
        assert mounting.find(kind, self.cls.__name__) is self.cls
        assert (trainers.mode(self.cls) == "dp") == parallel, "data_parallel says otherwise"

    def replay(self) -> None:
        """A trainer made from another's ``init_args`` is like that one."""
        (plans,) = self.folder.glob("root/nnUNet_preprocessed/Task*/nnUNetPlansv2.1_plans_3D.pkl")
        first = self._made(self.cls, plans)
        again = self.cls(*first.init_args)
        for name in (*PLACES, "stage", "batch_dice", "unpack_data", "fp16"):
            values = getattr(first, name), getattr(again, name)
            assert values[0] == values[1], f"{name} becomes {values[1]!r}"
        assert again.init_args == first.init_args, f"init_args become {again.init_args}"

    def train(self) -> None:
        """Two epochs and the validation."""
        self.result = nnplug.train([*self.words, "trainer.epochs=2"])
        assert self.result.epochs_done == 2, f"{self.result.epochs_done} epochs"
        content = self._checkpoint()
        losses = content["plot_stuff"][0]
        assert len(losses) == 2, f"{len(losses)} losses of two epochs"
        assert all(map(math.isfinite, losses)), losses

    def resume(self) -> None:
        """A third epoch goes on from the second; not beyond a schedule of the trainer's own."""
        words, epochs = [*self.words, "trainer.epochs=2"], 3
        try:
            result = nnplug.train([*words, "resume.extend=1"])
        except ConfigError as error:
            if error.where != "resume.extend":
                raise
            result, epochs = nnplug.train([*words, "resume=true"]), 2
        assert result.epochs_done == epochs, f"{result.epochs_done} epochs"

    def predict(self) -> None:
        """Masks of the images, with values of the labels."""
        import SimpleITK as sitk

        root = f"paths.root={self.folder / 'root'}"
        words = [f"model={self.result.model_folder}", root, "folds=[0]", "device=cpu", "workers=1"]
        where = [f"input={self.folder / 'source' / 'images'}", f"output={self.folder / 'masks'}"]
        nnplug.predict([*words, *where])
        masks = sorted((self.folder / "masks").glob("*.nii.gz"))
        assert len(masks) == 5, f"{len(masks)} masks of 5 images"
        for mask in masks:
            values = sitk.GetArrayFromImage(sitk.ReadImage(str(mask)))
            assert values.shape == (task.SIZE,) * 3
            assert values.max() <= 2

    def stock(self) -> None:
        """``nnUNetTrainerV2`` (or its sister for several GPUs) takes the weights."""
        from nnunet.training.network_training.nnUNetTrainerV2 import nnUNetTrainerV2
        from nnunet.training.network_training.nnUNetTrainerV2_DP import nnUNetTrainerV2_DP

        parallel = issubclass(self.cls, nnUNetTrainerV2_DP)
        made = self._made(
            nnUNetTrainerV2_DP if parallel else nnUNetTrainerV2,
            self.result.model_folder / "plans.pkl",
        )
        made.initialize(False)
        made.load_checkpoint_ram(self._checkpoint(), False)

    def _made(self, cls: Any, plans: Path) -> Any:
        """A trainer as nnU-Net makes it."""
        (task_folder,) = self.folder.glob("root/nnUNet_preprocessed/Task*")
        where = {"output_folder": str(self.folder / "made"), "dataset_directory": str(task_folder)}
        return cls(str(plans), 0, **where, batch_dice=True, stage=0, unpack_data=False, fp16=False)

    def _checkpoint(self) -> Any:
        from nnplug.engine.safe import load_checkpoint

        return load_checkpoint(self.result.fold_folder / "model_final_checkpoint.model")


def main(name: str, folder: str, *options: str) -> None:
    """Take the steps in order; those after one that failed are not reached."""
    life = Life(name, Path(folder), list(options))
    steps = (life.mount, life.replay, life.train, life.resume, life.predict, life.stock)
    tell(take(steps))


if __name__ == "__main__":
    main(*sys.argv[1:])
