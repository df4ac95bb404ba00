"""Fixtures for plugin authors: ``pytest_plugins = ["nnplug.testing.fixtures"]``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nnplug.catalog import Catalog
from nnplug.testing import host, task, volumes
from nnplug.testing._steps import Steps
from nnplug.testing.trainer import live


@pytest.fixture
def nnplug_catalog() -> Callable[..., Catalog]:
    """``nnplug_catalog("my_package.plugin")``: nnplug's own plugins and these, nothing else."""
    return host.isolated


@pytest.fixture
def nnplug_source(tmp_path: Path) -> Callable[..., Path]:
    """``nnplug_source("mha", oblique=True)``: a folder with two made-up cases in that format.

    ``nii.gz``, ``nii``, ``mha``, ``nrrd`` and other suffixes that ITK writes; ``png`` stacks;
    ``dicom`` series with NIfTI labels. Further arguments go to
    :func:`nnplug.testing.volumes.cases`.
    """

    def write(form: str, *, oblique: bool = False, **changes: object) -> Path:
        folder = tmp_path / f"source_{form}"
        if oblique:
            changes["direction"] = volumes.oblique()
        if form == "png":
            volumes.write_stacks(folder, volumes.cases(**{"dtype": "uint8", **changes}))  # type: ignore[arg-type]
        elif form == "dicom":
            volumes.write_series(folder, volumes.cases(**changes))  # type: ignore[arg-type]
        else:
            volumes.write_files(folder, volumes.cases(**changes), f".{form}")  # type: ignore[arg-type]
        return folder

    return write


@pytest.fixture
def nnplug_task(tmp_path: Path) -> list[str]:
    """Overrides of a tiny task that is planned and preprocessed, in a folder of its own.

    ``nnplug.train([*nnplug_task, "trainer=mine"])`` in a new process takes seconds on a CPU.
    """
    return task.overrides(task.copy_task(tmp_path / "task"))


@pytest.fixture
def nnplug_live(tmp_path: Path) -> Callable[..., Steps]:
    """``nnplug_live("mine")``: what went wrong at each step of that trainer's life."""
    return lambda trainer, *options: live(trainer, tmp_path / "life", options)
