"""demo: the whole way on a synthetic cohort, with the commands that a user would type."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnplug.catalog import Catalog
from nnplug.config.build import build
from nnplug.config.folders import Folders
from nnplug.config.load import worker_count
from nnplug.console import say
from nnplug.data import overlay
from nnplug.errors import NnplugError

TASK = "Task999_DemoLungLobe"
PICTURES = 3


@dataclass(frozen=True)
class Demo:
    """What the demo can vary.

    Attributes:
        output: the folder for everything that it makes.
        cases: how many phantoms; a quarter of them is held out.
        epochs: of 40 steps each.
        seed: of the phantoms.
        workers: processes.
    """

    output: Path
    cases: int = 16
    epochs: int = 8
    seed: int = 0
    workers: int = 1

    def __post_init__(self) -> None:
        if self.cases < 8:
            raise ValueError(
                f"cases must be at least 8, for five folds and a test, not {self.cases}"
            )
        if self.epochs < 1:
            raise ValueError(f"epochs must be at least 1, not {self.epochs}")


def main(config: Mapping[str, Any], catalog: Catalog) -> None:
    """The verb."""
    values = {key: value for key, value in config.items() if key != "hydra"}
    settings = build(Demo, {**values, "workers": worker_count(values["workers"])})
    for name in ("dicom", "quick"):
        (catalog.converters if name == "dicom" else catalog.trainers).get(name)
    run(settings)


def run(settings: Demo) -> None:
    """Write the cohort, then convert, plan, train, predict, evaluate and draw.

    Raises:
        NnplugError: a step failed; its own message is above.
    """
    from nnplug.demo.dicom import write_cohort

    started = time.monotonic()
    output = settings.output.resolve()
    source, root = output / "source", output / "data"
    if not source.is_dir():
        say(f"writing {settings.cases} synthetic chest CT series to {source}")
        partial = output / ".source"
        shutil.rmtree(partial, ignore_errors=True)
        write_cohort(partial, settings.cases, settings.seed)
        partial.rename(source)
    task = Folders.below(root, {}).task(TASK)
    predicted, scores = output / "predicted", output / "scores.json"
    common = [f"paths.root={root}", f"workers={settings.workers}", "dataset=demo"]
    trainer = [
        *("trainer=quick", "device=cpu"),
        *(f"trainer.epochs={settings.epochs}", "trainer.batches_per_epoch=40"),
        *("trainer.val_batches_per_epoch=5", "trainer.base_num_features=12"),
    ]
    _nnplug(
        "train", *common, f"dataset.source={source}", "converter=dicom", *trainer, "resume=true"
    )
    _nnplug(
        *("predict", *common, *trainer, "folds=[0]"),
        *(f"input={task / 'imagesTs'}", f"output={predicted}"),
    )
    _nnplug(
        *("evaluate", f"reference={task / 'labelsTs'}", f"prediction={predicted}"),
        *(f"output={scores}", f"workers={settings.workers}", f"labels={_lobes()}"),
    )
    for path in _draw(task, predicted, output / "pictures"):
        say(f"picture: {path}")
    say(f"the demo took {time.monotonic() - started:.0f} s")


def _lobes() -> str:
    names = ("left_upper", "left_lower", "right_upper", "right_middle", "right_lower")
    return "{" + ",".join(f"{name}_lobe:{value}" for value, name in enumerate(names, 1)) + "}"


def _nnplug(*arguments: str) -> None:
    say(f"\n$ nnplug {shlex.join(arguments)}")
    done = subprocess.run([sys.executable, "-m", "nnplug", *arguments], check=False)
    if done.returncode != 0:
        raise NnplugError(
            f"nnplug {arguments[0]} ended with exit code {done.returncode}",
            hint="its own message is above; running the demo again goes on from there",
        )


def _draw(task: Path, predicted: Path, pictures: Path) -> list[Path]:
    import SimpleITK as sitk

    drawn = []
    for path in sorted(predicted.glob("*.nii.gz"))[:PICTURES]:
        name = path.name.removesuffix(".nii.gz")
        image = sitk.ReadImage(str(task / "imagesTs" / f"{name}_0000.nii.gz"))
        reference = sitk.ReadImage(str(task / "labelsTs" / path.name))
        picture = pictures / f"{name}.png"
        overlay.write(image, [reference, sitk.ReadImage(str(path))], picture)
        drawn.append(picture)
    return drawn
