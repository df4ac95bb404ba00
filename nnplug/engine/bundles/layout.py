"""Where the files of a bundle are: as below nnU-Net's own folder of models.

A bundle holds units, each a folder three parts deep: models
(``NETWORK/TASK/TRAINER__PLANS``) and what nnU-Net found out about ensembles of them
(``ensembles/TASK/ensemble_A--B``).
"""

from __future__ import annotations

import re

from nnplug.engine.checkpoints import BEST, FINAL, LATEST

MANIFEST = "nnplug_bundle.json"
PLANS, PLANS_JSON, POSTPROCESSING = "plans.pkl", "plans.json", "postprocessing.json"
DEBUG, PROGRESS, ARCHITECTURE = "debug.json", "progress.png", "network_architecture.pdf"

_TASK = r"Task\d{3}_[\w.+-]+"
_MODEL = rf"(?:2d|3d_lowres|3d_fullres|3d_cascade_fullres)/{_TASK}/[A-Za-z]\w*?__[\w.+-]+"
_ENSEMBLE = rf"ensembles/{_TASK}/ensemble_[\w.+-]+"
_FOLD = r"(?:fold_\d{1,3}|all)"


def _any(*names: str) -> str:
    return f"(?:{'|'.join(map(re.escape, names))})"


_FOLD_FILE = (
    rf"(?:{_any(DEBUG, PROGRESS, ARCHITECTURE)}|training_log_\w+\.txt"
    rf"|{_any(FINAL, BEST, LATEST)}\.(?:model|model\.pkl|safetensors))"
)
_MODEL_FILE = rf"(?:{_any(PLANS, PLANS_JSON, POSTPROCESSING, MANIFEST)}|{_FOLD}/{_FOLD_FILE})"
_ENTRY = re.compile(
    rf"(?P<unit>{_MODEL})/{_MODEL_FILE}|(?P<ensemble>{_ENSEMBLE})/{_any(POSTPROCESSING)}",
    re.ASCII,
)


def unit_of(entry: str) -> str | None:
    """The unit that a file of the archive belongs to; None if no bundle has such a file."""
    found = _ENTRY.fullmatch(entry)
    return (found["unit"] or found["ensemble"]) if found else None


def is_model(unit: str) -> bool:
    """``unit`` is a model's name, ``NETWORK/TASK/TRAINER__PLANS``."""
    return re.fullmatch(_MODEL, unit, re.ASCII) is not None
