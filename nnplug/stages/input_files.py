"""Images named as nnU-Net does: which of them are the channels of which case."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import SimpleITK as sitk

from nnplug.engine.prediction import PredictCase
from nnplug.errors import ConfigError, DataError
from nnplug.types import CaseSource

SUFFIX = ".nii.gz"
SUFFIXES = (SUFFIX, ".nii", ".mha", ".nrrd")
CHANNEL = re.compile(r"_(\d{4})$")


LIST = ".txt"


def named_files(named: Path | Sequence[Path]) -> list[Path]:
    """The files that ``input`` names: one, several, or those that a text file lists.

    A text file has one path a line, relative to its folder; empty lines and ``#`` lines are
    passed over.

    Raises:
        ConfigError: one is not there, or of another format; or nothing is listed.
    """
    if not isinstance(named, Path):
        return checked(named)
    if named.suffix != LIST:
        return checked([named])
    try:
        lines = [line.strip() for line in named.read_text(encoding="utf-8").splitlines()]
    except UnicodeDecodeError:
        raise ConfigError("is not a list of paths in UTF-8", where=f"input={named}") from None
    found = [named.parent / line for line in lines if line and not line.startswith("#")]
    if not found:
        raise ConfigError("lists no file", where=f"input={named}")
    return checked(found)


def checked(files: Sequence[Path]) -> list[Path]:
    """Files that the user named.

    Raises:
        ConfigError: one is not there, or of another format.
    """
    for path in files:
        if not path.is_file():
            raise ConfigError("there is no such file", where=f"input={path}")
        if not path.name.endswith(SUFFIXES):
            raise ConfigError(
                f"only {', '.join(SUFFIXES)} files can be listed",
                where=f"input={path}",
                hint="give the folder of other formats, and dataset=NAME, whose converter reads it",
            )
    return list(files)


class Files:
    """Files ``NAME_0000.nii.gz`` and, for one channel, ``NAME.nii.gz``.

    With one channel the number is part of the name where numbers other than 0000 occur.

    Raises:
        DataError: a missing channel, or two files for one case.
    """

    channel = 0

    def __init__(self, files: Sequence[Path], channels: int) -> None:
        stems = [(_stem(path), path) for path in files]
        grouped = _single(stems) if channels == 1 else _multiple(stems, channels)
        self.cases = [PredictCase(name, tuple(paths)) for name, paths in sorted(grouped.items())]

    def read(self, case: PredictCase) -> Sequence[Path]:
        """The files themselves."""
        return case.files

    def source(self, case: PredictCase) -> CaseSource:
        """The files."""
        return CaseSource(case.name, case.files)

    def back(self, case: PredictCase, image: sitk.Image) -> sitk.Image:
        """Nothing was turned."""
        return image


def _stem(path: Path) -> str:
    return path.name.removesuffix(next(end for end in SUFFIXES if path.name.endswith(end)))


def _single(stems: Sequence[tuple[str, Path]]) -> dict[str, list[Path]]:
    numbers = {match.group(1) for match in (CHANNEL.search(stem) for stem, _ in stems) if match}
    found: dict[str, list[Path]] = {}
    for stem, path in stems:
        name = CHANNEL.sub("", stem) if numbers == {"0000"} else stem
        found.setdefault(name, []).append(path)
    for paths in found.values():
        if len(paths) > 1:
            raise DataError(
                f"{' and '.join(path.name for path in paths)} are one case",
                where=str(paths[0].parent),
                hint="remove one of them",
            )
    return found


def _multiple(stems: Sequence[tuple[str, Path]], channels: int) -> dict[str, list[Path]]:
    found: dict[str, list[tuple[int, Path]]] = {}
    for stem, path in stems:
        match = CHANNEL.search(stem)
        if match is None:
            raise DataError(
                f"the model has {channels} channels, and {path.name} does not say which it is",
                where=str(path.parent),
                hint=f"name the files CASE_0000{SUFFIX} to CASE_{channels - 1:04d}{SUFFIX}",
            )
        found.setdefault(stem[: match.start()], []).append((int(match.group(1)), path))
    for case, numbered in found.items():
        numbered.sort()
        if [number for number, _ in numbered] != list(range(channels)):
            listed = ", ".join(f"{number:04d}" for number, _ in numbered)
            raise DataError(
                f"case {case} has the channels {listed}; the model wants 0000 to "
                f"{channels - 1:04d}",
                where=str(numbered[0][1].parent),
            )
    return {case: [path for _, path in numbered] for case, numbered in found.items()}
