"""The public keys, as dataclasses: what a stage may rely on once a config is checked."""

from nnplug.config.settings.data import (
    KEEP,
    SIDES,
    Check,
    Choice,
    Convert,
    DataSettings,
    Paths,
)
from nnplug.config.settings.dataset import LARGEST_ID, LARGEST_LABEL, RESERVED_IDS, Dataset
from nnplug.config.settings.results import Best, Evaluate, Predict
from nnplug.config.settings.trainer import Trainer
from nnplug.config.settings.training import (
    Fold,
    ModelSettings,
    Network,
    Planner,
    Pretrained,
    Resume,
    Split,
)

__all__ = [
    "KEEP",
    "LARGEST_ID",
    "LARGEST_LABEL",
    "RESERVED_IDS",
    "SIDES",
    "Best",
    "Check",
    "Choice",
    "Convert",
    "DataSettings",
    "Dataset",
    "Evaluate",
    "Fold",
    "ModelSettings",
    "Network",
    "Paths",
    "Planner",
    "Predict",
    "Pretrained",
    "Resume",
    "Split",
    "Trainer",
]
