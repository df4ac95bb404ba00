"""What makes one experiment different from another, and so names its folder.

nnU-Net's own plans identifier stands for a training without overrides. With any, a hash of
them becomes part of the identifier, so that two experiments never share a folder and stock
commands still find each of them (``-p IDENTIFIER``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

from nnplug.catalog import Catalog
from nnplug.config.load import trainer_options
from nnplug.config.settings import ModelSettings, Trainer
from nnplug.data.files import value_hash

STOCK_PLANS = "nnUNetPlansv2.1"
HASH_LENGTH = 8
PLAN_KEYS = ("batch_size", "patch_size", "base_num_features")
ATTRIBUTES = {
    "epochs": "max_num_epochs",
    "batches_per_epoch": "num_batches_per_epoch",
    "val_batches_per_epoch": "num_val_batches_per_epoch",
    "initial_lr": "initial_lr",
}
BEHAVIOUR = ("schedule", "mirror_axes", "augmentation", "deep_supervision", "loss_weights")


def overrides(trainer: Trainer, options: object | None, seed: int | None) -> dict[str, Any]:
    """Everything that makes the result differ from nnU-Net's own for that trainer."""
    values = {
        key: getattr(trainer, key)
        for key in (*PLAN_KEYS, *ATTRIBUTES, *BEHAVIOUR)
        if getattr(trainer, key) is not None
    }
    if is_dataclass(options) and not isinstance(options, type):
        values["options"] = asdict(options)
    if seed is not None:
        values["seed"] = seed
    return values


def plans_identifier(values: Mapping[str, Any]) -> str:
    """nnU-Net's plans identifier for a training with these overrides."""
    if not values:
        return STOCK_PLANS
    return f"{STOCK_PLANS}_{value_hash(values)[:HASH_LENGTH]}"


def identify(settings: ModelSettings, catalog: Catalog) -> tuple[dict[str, Any], str]:
    """The overrides of a training and its plans identifier."""
    options = trainer_options(settings.trainer, catalog)
    values = overrides(settings.trainer, options, settings.seed)
    return values, plans_identifier(values)


def trainer_class_name(trainer: Trainer, catalog: Catalog) -> str:
    """The class name that nnU-Net writes into folder names."""
    return catalog.trainers.get(trainer.name).spec.target.partition(":")[2]
