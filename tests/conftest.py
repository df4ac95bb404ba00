"""Small cohorts, settings to convert them, the command line in this process, and real data."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from nnplug import cli
from nnplug.catalog import Catalog
from nnplug.config.folders import VARIABLES
from nnplug.config.settings import Choice, Convert, Dataset, DataSettings, Paths
from nnplug.plugins import Host

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SPACING = (1.0, 1.5, 2.0)
ORIGIN = (-10.0, 20.0, 5.5)

# Files of tests run side by side, each with a process of its own; a core each is enough.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell lets its background jobs ignore Ctrl-C, and processes that tests start would inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the developer's shell changes a test."""
    for name in (*VARIABLES, "NNPLUG_ROOT", "NNPLUG_CONF", "NNPLUG_BLOCK", "NNPLUG_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NNPLUG_CACHE", "off")


@pytest.fixture
def shared_data() -> Callable[[str], Path]:
    """A folder of the real data, or the test is skipped."""

    def find(name: str) -> Path:
        if not (DATA / name).is_dir():
            pytest.skip(f"there is no ../shared/data/{name}")
        return DATA / name

    return find


def save_volume(
    path: Path,
    values: Any,
    spacing: tuple[float, ...] = SPACING,
    origin: tuple[float, ...] = ORIGIN,
    direction: tuple[float, ...] = (1, 0, 0, 0, 1, 0, 0, 0, 1),
) -> Path:
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirection(direction)
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))
    return path


@pytest.fixture
def save() -> Callable[..., Path]:
    """``save(path, array, spacing, origin, direction)`` writes an image file."""
    return save_volume


def toy_values(number: int) -> tuple[Any, Any]:
    """An image and its label with the values 0, 1 and 2; arrays are 6 x 8 x 10 (z, y, x)."""
    rng = np.random.default_rng(number)
    image = rng.integers(-1000, 1000, (6, 8, 10)).astype(np.int16)
    label = np.zeros((6, 8, 10), np.uint8)
    label[1:4, 2:6, 2:7] = 1
    label[2, 3:5, 3:5] = 2
    return image, label


@pytest.fixture
def cohort(tmp_path: Path) -> Callable[..., Path]:
    """``cohort("p1", "p2")`` writes images/ and labels/ below ``source`` and returns that."""

    def write(*names: str, labels: bool = True) -> Path:
        root = tmp_path / "source"
        for name in names:
            image, label = toy_values(sum(map(ord, name)))
            save_volume(root / "images" / f"{name}.nii.gz", image)
            if labels:
                save_volume(root / "labels" / f"{name}.nii.gz", label)
        return root

    return write


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., DataSettings]:
    """Settings to convert ``source`` to ``Task301_Toy`` below ``tmp_path / "root"``."""

    def make(
        source: Path | None,
        *,
        converter: Choice | None = None,
        remap: Choice | Sequence[Choice] = (),
        on_error: Any = "stop",
        how: Mapping[str, Any] | None = None,
        workers: int = 1,
        root: Path | None = None,
        **changes: Any,
    ) -> DataSettings:
        chosen: dict[str, Any] = {
            "name": "Toy",
            "task_id": 301,
            "source": source,
            "channels": {0: "CT"},
            "labels": {"background": 0, "shell": 1, "core": 2},
        }
        return DataSettings(
            dataset=Dataset(**{**chosen, **changes}),
            paths=Paths(root or tmp_path / "root"),
            converter=converter or Choice("nifti"),
            remap=(remap,) if isinstance(remap, Choice) else tuple(remap),
            convert=Convert(on_error, **(how or {})),
            workers=workers,
        )

    return make


@pytest.fixture(scope="session")
def core_catalog() -> Catalog:
    """What nnplug offers by itself, without any installed plugin."""
    return Catalog.build(Host.load([]))


@pytest.fixture
def toy_task(tmp_path: Path) -> Path:
    """Where those settings put the task."""
    return tmp_path / "root" / "nnUNet_raw_data_base" / "nnUNet_raw_data" / "Task301_Toy"


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """``command("check", "dataset=x")`` in this process: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    handlers, level = list(logging.root.handlers), logging.root.level
    terminate = signal.getsignal(signal.SIGTERM)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["nnplug", *arguments])
        capfd.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        printed = capfd.readouterr()
        return code, printed.out, printed.err

    yield run
    gc.unfreeze()  # this process goes on after a command
    signal.signal(signal.SIGTERM, terminate)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
