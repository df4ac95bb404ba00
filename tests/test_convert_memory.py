"""What a worker needs at most: three volumes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

SHAPE = (160, 400, 400)
VOLUMES = 3.0

CONVERT = """
import resource, sys
from pathlib import Path
from nnplug.catalog import Catalog
from nnplug.config.settings import Choice, Convert, Dataset, DataSettings, Paths
from nnplug.data.taskfolder import TaskFolder
from nnplug.stages import jobs, store

root = Path(sys.argv[1])
catalog = Catalog.build()

def convert(name):
    settings = DataSettings(
        dataset=Dataset(name="Toy", task_id=301, source=root / name, channels={0: "CT"},
                        labels={"background": 0, "organ": 1}),
        paths=Paths(root / "out"), converter=Choice("nifti"), remap=(), convert=Convert(),
        workers=1,
    )
    task = TaskFolder(root / "out" / name)
    task.begin()
    (job,) = jobs.find_jobs(settings, catalog, task)
    store.convert(job)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

small = convert("small")
print(convert("large") - small)
"""


def _write(root: Path, shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(0)
    plane = rng.integers(-1000, 1000, shape[1:], np.int16)
    values = np.repeat(plane[np.newaxis], shape[0], axis=0)
    for folder, array in (("images", values), ("labels", (values > 0).astype(np.uint8))):
        (root / folder).mkdir(parents=True)
        sitk.WriteImage(sitk.GetImageFromArray(array), root / folder / "c.nii.gz", True, 1)


@pytest.mark.slow
def test_peak_memory_of_a_worker(tmp_path: Path) -> None:
    _write(tmp_path / "small", (4, 8, 8))
    _write(tmp_path / "large", SHAPE)
    done = subprocess.run(
        [sys.executable, "-c", CONVERT, str(tmp_path)], capture_output=True, text=True, check=True
    )
    volume = 2 * np.prod(SHAPE)
    assert int(done.stdout) <= VOLUMES * volume, int(done.stdout) / volume
