"""Sources of empty files, and their cases in short."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nnplug.layout import find_cases
from nnplug.types import CaseSource, Layout, Source

NIFTI = (".nii", ".nii.gz")


@pytest.fixture
def make() -> Callable[..., Path]:
    """``make(root, "images/a.nii", ...)`` writes empty files."""

    def write(root: Path, *names: str) -> Path:
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).touch()
        return root

    return write


@pytest.fixture
def find() -> Callable[..., list[CaseSource]]:
    """``find(root, channels)`` lists the cases of a source of NIfTI files."""

    def cases(
        root: Path,
        channels: dict[int, str] | None = None,
        *,
        unlabelled: bool = False,
        layout: Layout | None = None,
        suffixes: tuple[str, ...] = NIFTI,
        folders: bool = False,
        label_suffixes: tuple[str, ...] = (),
    ) -> list[CaseSource]:
        source = Source(
            root, channels or {0: "CT"}, unlabelled=unlabelled, layout=layout or Layout()
        )
        return find_cases(source, suffixes=suffixes, folders=folders, label_suffixes=label_suffixes)

    return cases


@pytest.fixture
def short() -> Callable[..., list[tuple[object, ...]]]:
    """Each case as its name, its images and label below the source, and its split."""

    def shortened(root: Path, cases: list[CaseSource]) -> list[tuple[object, ...]]:
        def relative(path: Path | None) -> str | None:
            return path.relative_to(root).as_posix() if path else None

        return [(c.name, *map(relative, c.images), relative(c.label), c.split) for c in cases]

    return shortened


@pytest.fixture
def problems() -> Callable[[list[CaseSource]], dict[str, str]]:
    """The problem of each case that has one."""
    return lambda cases: {c.name: c.details["problem"] for c in cases if c.details}
