"""What makes one experiment different from another, and so names its folder.

nnU-Net's own plans identifier stands for a training without overrides. Another planner has one
of its own. With overrides, a hash of them becomes part of the identifier, so that two
experiments never share a folder and stock commands still find each of them (``-p IDENTIFIER``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass, replace
from typing import Any

from nnplug.catalog import Catalog
from nnplug.config.load import planner_target, trainer_options
from nnplug.config.settings import ModelSettings, Network, Planner, Trainer
from nnplug.data.files import value_hash

STOCK_PLANS = "nnUNetPlansv2.1"
HASH_LENGTH = 8
FIRST_STAGE: Network = "3d_lowres"
CASCADE: Network = "3d_cascade_fullres"
PLAN_KEYS = ("batch_size", "patch_size", "base_num_features")
ATTRIBUTES = {
    "epochs": "max_num_epochs",
    "batches_per_epoch": "num_batches_per_epoch",
    "val_batches_per_epoch": "num_val_batches_per_epoch",
    "initial_lr": "initial_lr",
}
PARALLEL = ("distribute_batch_size",)
BEHAVIOUR = ("schedule", "mirror_axes", "augmentation", "deep_supervision", "loss_weights")


def overrides(trainer: Trainer, options: object | None, seed: int | None) -> dict[str, Any]:
    """Everything that makes the result differ from nnU-Net's own for that trainer."""
    values = {
        key: getattr(trainer, key)
        for key in (*PLAN_KEYS, *ATTRIBUTES, *BEHAVIOUR, *PARALLEL)
        if getattr(trainer, key) is not None
    }
    if is_dataclass(options) and not isinstance(options, type):
        values["options"] = asdict(options)
    if seed is not None:
        values["seed"] = seed
    return values


def planned_as(planner: Planner, network: Network, catalog: Catalog) -> str:
    """The identifier of the plans that a planner makes: nnU-Net's for its default planner.

    The classes' names tell planners apart, as they do for nnU-Net.
    """
    target = planner_target(planner, network, catalog)
    default = planner_target(Planner(), network, catalog)
    parts = [STOCK_PLANS if target == default else f"nnUNetPlans_{_class_name(target)}"]
    if planner.preprocessor is not None:
        parts.append(_class_name(catalog.preprocessors.get(planner.preprocessor).spec.target))
    return "_".join(parts)


def plans_identifier(values: Mapping[str, Any], planned: str = STOCK_PLANS) -> str:
    """The plans identifier for a training with these overrides of a planner's plans."""
    if not values:
        return planned
    return f"{planned}_{value_hash(values)[:HASH_LENGTH]}"


def identify(settings: ModelSettings, catalog: Catalog) -> tuple[dict[str, Any], str]:
    """The overrides of a training and its plans identifier.

    Those of the cascade's first stage count too where they are others.
    """
    options = trainer_options(settings.trainer, catalog)
    values = overrides(settings.trainer, options, settings.seed)
    if settings.network == CASCADE and settings.lowres is not None:
        own = identify(first_stage(settings), catalog)[0]
        names = (settings.lowres.name, settings.trainer.name)
        if own != values or len(set(names)) > 1:
            values["lowres"] = {**own, "name": settings.lowres.name}
    if settings.pretrained is not None:
        values["pretrained"] = {k: str(v) for k, v in asdict(settings.pretrained).items()}
    return values, plans_identifier(values, planned_as(settings.planner, settings.network, catalog))


def first_stage(settings: ModelSettings) -> ModelSettings:
    """The training whose predictions a cascade's second stage takes; it goes on by itself."""
    return replace(
        settings,
        network=FIRST_STAGE,
        trainer=settings.lowres or settings.trainer,
        lowres=None,
        pretrained=None,
        resume=True,
        extend=None,
    )


def trainer_class_name(trainer: Trainer, network: str, catalog: Catalog) -> str:
    """The class name that nnU-Net writes into folder names."""
    return _class_name(catalog.trainers.get(trainer.name).spec.for_network(network).target)


def _class_name(target: str) -> str:
    return target.partition(":")[2]
