"""Read model files and pickles as data: numbers, arrays and containers, never code."""

from __future__ import annotations

import builtins
import collections
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from nnplug.errors import DataError, TrainingError

# What numpy itself calls to restore a scalar and an array, whatever this version names it.
_scalar: Any = np.float64(0).__reduce__()[0]
_reconstruct: Any = np.empty(0).__reduce__()[0]
_frombuffer: Any = np.empty(0).__reduce_ex__(5)[0]

_PLAIN = (
    *("bool", "int", "float", "complex", "str", "bytes", "bytearray"),
    *("list", "tuple", "dict", "set", "frozenset", "slice"),
)


def _encode(text: str, encoding: str) -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"bytes in {encoding!r}")
    return text.encode("latin1")


_ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("numpy", "dtype"): np.dtype,
    ("numpy", "ndarray"): np.ndarray,
    ("_codecs", "encode"): _encode,
    **{("builtins", name): getattr(builtins, name) for name in _PLAIN},
    **{("__builtin__", name): getattr(builtins, name) for name in _PLAIN},
}
for _core in ("numpy.core", "numpy._core"):
    _ALLOWED[f"{_core}.multiarray", "scalar"] = _scalar
    _ALLOWED[f"{_core}.multiarray", "_reconstruct"] = _reconstruct
    _ALLOWED[f"{_core}.numeric", "_frombuffer"] = _frombuffer


class _DataUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None


def read_pickle(path: Path | str) -> Any:
    """Read a pickle that holds plain data and numpy arrays, such as plans or splits.

    Raises:
        DataError: no such file, damaged, or it asks for anything but data.
    """
    try:
        with Path(path).open("rb") as stream:
            return _DataUnpickler(stream).load()
    except OSError as error:
        raise DataError(f"can't be read: {error.strerror}", where=str(path)) from error
    except Exception as error:
        raise DataError(
            f"not a pickle of plain data: {error or type(error).__name__}",
            where=str(path),
            hint="it is damaged or was made to run code; get it again from its source",
        ) from error


def load_checkpoint(path: Path | str) -> dict[str, Any]:
    """Read a ``.model`` file of nnU-Net v1, old or new, onto the CPU.

    Raises:
        TrainingError: no such file, damaged, not a checkpoint, or it asks for anything but data.
    """
    import torch

    try:
        _refuse_compressed(path)
        with torch.serialization.safe_globals(_numpy_globals()):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise TrainingError(f"can't be read: {error.strerror}", where=str(path)) from error
    except Exception as error:
        reason = str(error).strip().splitlines()
        raise TrainingError(
            f"not a checkpoint of plain data: {_reason(reason) or type(error).__name__}",
            where=str(path),
            hint="it is damaged or was made to run code; get it again from its source",
        ) from error
    if not isinstance(content, dict) or "state_dict" not in content:
        raise TrainingError("not a checkpoint of nnU-Net: no weights in it", where=str(path))
    return content


def _refuse_compressed(path: Path | str) -> None:
    """torch stores tensors as they are, but would inflate them: a small file could fill the RAM."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > Path(path).stat().st_size:
            raise pickle.UnpicklingError("Unsupported: its tensors are compressed")


def _numpy_globals() -> list[Any]:
    """What ``weights_only`` must know to read the numpy scalars in v1's loss lists."""
    kinds = ("bool", "int32", "int64", "float16", "float32", "float64")
    return [
        (_scalar, "numpy.core.multiarray.scalar"),
        (_scalar, "numpy._core.multiarray.scalar"),
        np.dtype,
        *(type(np.dtype(kind)) for kind in kinds),
    ]


def _reason(lines: list[str]) -> str:
    for line in lines:
        if "GLOBAL" in line or "Unsupported" in line:
            return line.strip()
    return lines[0] if lines else ""
