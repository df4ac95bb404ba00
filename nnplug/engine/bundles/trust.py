"""Run the pickles of a bundle that the user vouches for, once, and keep their data only."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nnplug.engine.safe import load_checkpoint, read_pickle
from nnplug.errors import DataError, NnplugError


def run_pickles(folder: Path) -> None:
    """Rewrite each ``.pkl`` and ``.model`` that asks for more than data, as data.

    What is no number, text, array, tensor or container of these becomes its text, so that
    everything afterwards can read the model without running code.

    Raises:
        DataError: a pickle can't be run here.
    """
    import torch

    for path in sorted(folder.rglob("*")):
        if path.suffix not in (".pkl", ".model"):
            continue
        checkpoint = path.suffix == ".model"
        try:
            (load_checkpoint if checkpoint else read_pickle)(path)
            continue
        except NnplugError:
            pass
        try:
            if checkpoint:
                content = torch.load(path, map_location="cpu", weights_only=False)
                torch.save(_data(content), path)
            else:
                content = pickle.loads(path.read_bytes())
                path.write_bytes(pickle.dumps(_data(content)))
        except Exception as error:
            raise DataError(
                f"the pickle can't be run here: {type(error).__name__}: {error}",
                where=path.name,
                hint="it may need a package that is not installed",
            ) from error


def _data(value: Any) -> Any:
    import torch

    kept = bool | int | float | complex | str | bytes | np.generic | torch.Tensor
    if value is None or isinstance(value, kept):
        return value
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value
    if isinstance(value, Mapping):
        return {_data(key): _data(item) for key, item in value.items()}
    for kind in (list, tuple, set, frozenset):
        if isinstance(value, kind):
            return kind(_data(item) for item in value)
    return str(value)
