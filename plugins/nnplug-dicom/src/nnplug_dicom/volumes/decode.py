"""Decoding pixels by pydicom's decoders, and by GDCM where they fail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from pydicom import config, dcmread
from pydicom.pixels.utils import iter_pixels

from nnplug.errors import SourceError
from nnplug_dicom.headers.fields import DEFLATED
from nnplug_dicom.headers.header import Header
from nnplug_dicom.volumes.codestream import check_coded_sizes
from nnplug_dicom.volumes.htj2k import HTJ2K, read_htj2k


def decode(header: Header, numbers: Sequence[int], targets: Sequence[NDArray[Any]]) -> None:
    """Decode frames of a file into arrays of the right size and type.

    Args:
        header: of any plane of the file.
        numbers: which frames, from 0.
        targets: an array (rows, columns) for each.

    Raises:
        SourceError: no decoder reads them, or they have another size.
    """
    path, syntax = header.path, header.syntax
    try:
        with config.disable_value_validation():
            check_coded_sizes(header, targets[0].shape)
            for target, values in zip(targets, _frames(path, syntax, numbers), strict=True):
                if values.shape != target.shape:
                    raise SourceError(
                        f"{values.shape} pixels decoded where the header promises {target.shape}",
                        where=path.name,
                    )
                target[...] = values
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(
            f"the pixels (transfer syntax {syntax or 'unknown'}) can't be decoded: {error}",
            where=path.name,
        ) from error


def _frames(path: Path, syntax: str, numbers: Sequence[int]) -> Iterator[NDArray[Any]]:
    if syntax in HTJ2K:
        decoded = read_htj2k(path)
        return (decoded[n] for n in numbers)
    source = dcmread(path) if syntax == DEFLATED else path
    return iter_pixels(source, indices=numbers, raw=True)
