"""Planners at work in a process of its own; prints what went wrong at each step as JSON.

Run as ``python -m nnplug.testing._planner_steps FOLDER PLANNER [PLANNER ...]``.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import shutil
import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import nnplug
from nnplug.catalog import Catalog
from nnplug.config.folders import Folders
from nnplug.config.settings import Planner
from nnplug.testing import task
from nnplug.testing._steps import NOT_REACHED, take, tell

TASK = "Task990_Tiny"
OWN = "nnplug_plan."
PATHS = {"list_of_npz_files", "preprocessed_data_folder"}
TOLERANCE = 1e-3


class Work:
    """The steps; each raises an AssertionError or whatever the planner raises."""

    def __init__(self, name: str, network: str, folder: Path) -> None:
        self.name, self.network, self.folder = name, network, folder
        self.folders = Folders.below(folder / "root")
        self.there = self.folders.preprocessed / TASK
        self.before: dict[str, str] = {}

    @cached_property
    def identifier(self) -> str:
        """Of its plans."""
        from nnplug.stages import experiment

        return experiment.planned_as(Planner(self.name), self.network, Catalog.build())  # type: ignore[arg-type]

    @cached_property
    def chosen(self) -> Any:
        """The planner as the engine takes it."""
        from nnplug.engine import planners

        entry = Catalog.build().planners.get(self.name)
        target = entry.spec.target_2d if self.network == "2d" else entry.spec.target
        return planners.Planner(target, str(entry.owner), self.identifier)

    @cached_property
    def plans(self) -> Any:
        """The content of its plans file."""
        from nnplug.engine import plans

        return plans.read(self._file())

    def mount(self) -> None:
        """nnU-Net finds it and its preprocessor; it plans that kind of network."""
        from nnplug.engine import environment, mounting

        environment.enter(self.folders, device="cpu", gpus=None, workers=1)
        mounting.offer(Catalog.build())
        cropped = self.folders.cropped / TASK
        made = type(self.chosen.construct(cropped, self.there, self.network))
        assert mounting.find(mounting.PLANNER, made.__name__) is made

    def plan(self) -> None:
        """Plans, and arrays of every case."""
        self.before = dict(self._others())
        words = [f"planner={self.name}", f"network={self.network}"]
        identifier = nnplug.plan([*task.data_overrides(self.folder), *words])
        assert identifier == self.identifier, identifier

    def names(self) -> None:
        """Plans and data bear the planner's name, stages are counted from 0."""
        from nnplug.engine import plans

        wanted = plans.data_identifier(self.identifier, self.network)
        assert self.plans["data_identifier"] == wanted, self.plans["data_identifier"]
        stages = list(self.plans["plans_per_stage"])
        assert stages == list(range(self.plans["num_stages"])), stages
        for stage in stages:
            assert any(self._data(stage).glob("*.npz")), f"no cases for stage {stage}"

    def beside(self) -> None:
        """What other planners made is as it was."""
        after = dict(self._others())
        changed = [name for name, digest in self.before.items() if after.get(name) != digest]
        assert not changed, f"changed: {', '.join(changed)}"

    def stock(self) -> None:
        """nnU-Net's trainer builds the network of every stage, and it takes a patch."""
        import torch
        from nnunet.training.network_training.nnUNetTrainerV2 import nnUNetTrainerV2

        for stage, planned in self.plans["plans_per_stage"].items():
            made = nnUNetTrainerV2(
                str(self._file()), 0, str(self.folder / "made"), str(self.there),
                batch_dice=True, stage=stage, unpack_data=False,
                deterministic=False, fp16=False,
            )  # fmt: skip
            made.initialize(False)
            size = (1, self.plans["num_modalities"], *map(int, planned["patch_size"]))
            with torch.no_grad():
                made.network(torch.zeros(size))

    def test(self) -> None:
        """A new image is preprocessed as it was for training."""
        import numpy as np

        from nnplug.engine import mounting

        cls = mounting.find(mounting.PREPROCESSOR, self.plans["preprocessor_name"])
        made = cls(
            self.plans["normalization_schemes"],
            self.plans["use_mask_for_norm"],
            self.plans["transpose_forward"],
            self.plans["dataset_properties"]["intensityproperties"],
        )
        image = min((self.folders.task(TASK) / "imagesTr").glob("*_0000.nii.gz"))
        case = image.name.removesuffix("_0000.nii.gz")
        for stage, planned in self.plans["plans_per_stage"].items():
            data, _, _ = made.preprocess_test_case([str(image)], planned["current_spacing"])
            kept = np.load(self._data(stage) / f"{case}.npz")["data"][:-1]
            np.testing.assert_allclose(data, kept, atol=TOLERANCE, err_msg=f"stage {stage}")

    def again(self) -> None:
        """The same once more, with worker processes that are spawned instead of forked."""
        import numpy as np

        from nnplug.engine import planning

        plans, arrays = self.plans, self._arrays()
        self._file().unlink()
        for stage in plans["plans_per_stage"]:
            shutil.rmtree(self._data(stage))
        del self.plans
        multiprocessing.set_start_method("spawn", force=True)
        try:
            planning.prepare(self.folders, TASK, self.network, 1, log=None, planner=self.chosen)
        finally:
            multiprocessing.set_start_method(None, force=True)
        for key in plans.keys() - PATHS:
            np.testing.assert_equal(self.plans[key], plans[key])
        np.testing.assert_equal(self._arrays(), arrays)

    def _file(self) -> Path:
        from nnplug.engine import plans

        return plans.plans_file(self.folders, TASK, self.network, self.identifier)

    def _data(self, stage: int) -> Path:
        return self.there / f"{self.plans['data_identifier']}_stage{stage}"

    def _arrays(self) -> dict[str, Any]:
        import numpy as np

        return {
            f"{stage} {path.name}": np.load(path)["data"]
            for stage in self.plans["plans_per_stage"]
            for path in sorted(self._data(stage).glob("*.npz"))
        }

    def _others(self) -> Iterator[tuple[str, str]]:
        """Files that are not this planner's, with their digests."""
        from nnplug.engine import plans

        data = plans.data_identifier(self.identifier, self.network)
        mine = (OWN, self._file().name, f"{data}_stage")
        kept = [path for path in self.there.rglob("*") if path.is_file()]
        kept = [path for path in kept if not str(path.relative_to(self.there)).startswith(mine)]
        for path in (*kept, *self.folders.cropped.glob(f"{TASK}/*.npz")):
            yield path.name, hashlib.sha256(path.read_bytes()).hexdigest()


def work(name: str, folder: Path) -> dict[str, str | None]:
    """Take the steps for the network of each kind that the planner plans; the first problems."""
    names = ("mount", "plan", "names", "beside", "stock", "test", "again")
    found: dict[str, str | None] = dict.fromkeys(names)
    try:
        spec = Catalog.build().planners.get(name).spec
    except Exception as error:
        return {**dict.fromkeys(names, NOT_REACHED), "mount": f"{type(error).__name__}: {error}"}
    planned = (("3d_fullres", spec.target), ("2d", spec.target_2d))
    for network in [network for network, target in planned if target]:
        one = Work(name, network, folder)
        for step, problem in take(getattr(one, name) for name in names).items():
            found[step] = found[step] or (problem and f"{network}: {problem}")
    return found


def main(folder: str, *names: str) -> None:
    """Each planner by itself, one after the other."""
    tell({name: work(name, Path(folder)) for name in names})


if __name__ == "__main__":
    main(*sys.argv[1:])
