"""Reading SEG and RTSTRUCT headers: no pixels, and every damage a SourceError."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from nnplug.errors import SourceError

FARTHEST_MM = 1e6


@contextmanager
def guarded(path: Path, part: str = "") -> Iterator[None]:
    """Turn whatever a damaged file provokes into an error that names it, and the part read.

    pydicom's warnings quote values, which may be a patient's; they are kept back.

    Raises:
        SourceError: the file can't be read or is damaged.
    """
    where = f"{path.name}, {part}" if part else path.name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except SourceError as error:
        if error.where:
            raise
        raise SourceError(error.problem, where=where, hint=error.hint) from error
    except MemoryError:
        raise
    except OSError as error:
        raise SourceError(f"can't be read: {error.strerror or error}", where=where) from error
    except NotImplementedError as error:
        reason = " ".join(str(error).split())[:200]
        raise SourceError(f"its pixels can't be decoded: {reason}", where=where) from error
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise SourceError(f"the file is damaged ({reason})", where=where) from error


def read_dataset(path: Path) -> Dataset:
    """Everything but the pixels of one file; to be called within :func:`guarded`."""
    return pydicom.dcmread(path, stop_before_pixels=True, force=True)


def numbers(dataset: Dataset, keyword: str) -> NDArray[np.float64]:
    """The values of an element that holds numbers; quick for the many of a contour.

    Raises:
        SourceError: one of them isn't a number or no length in a patient.
    """
    element = dataset.get_item(keyword)
    raw = element.value if element is not None else None
    if isinstance(raw, bytes):
        text = raw.rstrip(b" \0")
        raw = text.split(b"\\") if text else None
    found = np.array([] if raw is None else raw, dtype=np.float64).reshape(-1)
    if not (np.abs(found) < FARTHEST_MM).all():
        raise SourceError(f"{keyword} holds a value that isn't finite or is absurd")
    return found


def uids(items: Iterable[Dataset], keyword: str) -> frozenset[str]:
    """Every value of a UID element at any depth."""
    found: set[str] = set()
    stack = list(items)
    while stack:
        for element in stack.pop():
            if element.VR == "SQ":
                stack.extend(element.value)
            elif element.keyword == keyword:
                found.add(str(element.value))
    return frozenset(found)
