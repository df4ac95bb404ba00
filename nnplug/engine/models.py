"""Load a trained model for prediction, wherever it was trained, as data only."""

from __future__ import annotations

import copy
import inspect
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnplug.engine import mounting, planners, precision, trainers
from nnplug.engine.checkpoints import FINAL
from nnplug.engine.construction import pristine_augmentation
from nnplug.engine.environment import Device
from nnplug.engine.output import loud, quiet
from nnplug.engine.safe import load_checkpoint, read_pickle
from nnplug.errors import DataError, NnplugError, PluginError, TrainingError


@dataclass(frozen=True)
class Model:
    """A model that is ready to predict.

    Attributes:
        folder: holds the folds.
        folds: the folders of the folds used, in order.
        trainer: the restored nnU-Net trainer.
        params: one checkpoint's content a fold.
        record: nnplug's record of the first fold; empty for models of stock nnU-Net.
        mirrored: it was trained with mirroring.
        mixed_precision: predict in half precision on CUDA.
        first_stage: of a cascade's second stage: the model whose masks it takes.
    """

    folder: Path
    folds: tuple[Path, ...]
    trainer: Any
    params: list[dict[str, Any]]
    record: dict[str, Any]
    mirrored: bool
    mixed_precision: bool
    first_stage: Model | None = None

    @property
    def postprocessing(self) -> Path:
        """Applied to masks if it is there."""
        return self.folder / "postprocessing.json"

    @property
    def channels(self) -> int:
        """How many images a case has."""
        return int(self.trainer.plans["num_modalities"])

    @property
    def classes(self) -> int:
        """How many classes there are probabilities of."""
        return int(self.trainer.num_classes)

    @property
    def regions(self) -> tuple[int, ...] | None:
        """The label value of each class where classes overlap."""
        found = self.trainer.regions_class_order
        return None if found is None else tuple(found)


def first_info(
    folder: Path, folds: Sequence[int | str] | None, checkpoint: str = FINAL
) -> dict[str, Any]:
    """The ``.model.pkl`` of the model's first fold, with the trainer's class as ``name``.

    Raises:
        DataError: it is missing or damaged.
    """
    path = _folds(folder, folds, checkpoint)[0] / f"{checkpoint}.model.pkl"
    info = read_pickle(path)
    if not isinstance(info, dict) or not isinstance(info.get("name"), str):
        raise DataError("not a model of nnU-Net v1: no trainer's name", where=str(path))
    return info


def load_model(
    folder: Path,
    folds: Sequence[int | str] | None,
    checkpoint: str = FINAL,
    *,
    device: Device,
    find_options: Callable[[dict[str, Any]], object | None] | None = None,
    first_stage: Model | None = None,
    log: Path | None = None,
) -> Model:
    """Restore the trainer from the first fold and read the weights of all.

    Args:
        folder: the model's folder, e.g. ``.../3d_fullres/TASK/TRAINER__PLANS``. Only read.
        folds: numbers or ``"all"``; None takes every ``fold_N`` there, or else ``all``.
        checkpoint: which checkpoint of each fold.
        device: what ``environment.enter`` returned; MPS predicts on the CPU.
        find_options: gives the trainer's options from nnplug's record beside the weights.
        first_stage: for a cascade's second stage, the model of the first (``cascade.first_stage``).
        log: file for what nnU-Net prints; None drops it.

    Raises:
        ConfigError: mixed precision on a CPU that hasn't it.
        DataError: a fold, a file or its content is missing or damaged.
        PluginError: the trainer's plugin is not installed.
        TrainingError: weights are damaged or don't fit.
    """
    chosen = _folds(folder, folds, checkpoint)
    path = chosen[0] / f"{checkpoint}.model.pkl"
    info = read_pickle(path)
    if not isinstance(info, dict) or not {"init", "name", "plans"} <= set(info):
        raise DataError("not a model of nnU-Net v1: keys are missing", where=str(path))
    record = info["nnplug"] if isinstance(info.get("nnplug"), dict) else {}
    trainers.check_origin(record, str(path))
    trainers.check_origin(record.get("preprocessor") or {}, str(path))
    with quiet(log):
        cls = _trainer_class(info["name"], record, path)
        if first_stage is None and _is_second_stage(cls):
            raise DataError("the cascade's second stage needs the first", where=str(path))
        options = None
        if find_options is not None:
            with loud():
                options = find_options(record)
        trainer = _restore(cls, info, options, folder, path)
        set_mirroring(trainer, record)
        on_gpu = device.mixed_precision and device.kind == "cuda"
        trainer.fp16 = on_gpu
        if device.mixed_precision and not on_gpu:
            precision.predict_in_float16(trainer)
        params = [_weights(trainer, fold / f"{checkpoint}.model") for fold in chosen]
    mirrored = bool(trainer.data_aug_params.get("do_mirror"))
    return Model(*(folder, chosen, trainer, params, record, mirrored, on_gpu), first_stage)


def _folds(folder: Path, asked: Sequence[int | str] | None, checkpoint: str) -> tuple[Path, ...]:
    if asked is None:
        pattern = re.compile(r"fold_(\d+)")
        found = [path for path in folder.glob("fold_*") if pattern.fullmatch(path.name)]
        found.sort(key=lambda path: int(path.name.removeprefix("fold_")))
        chosen = [p for p in found if (p / f"{checkpoint}.model").is_file()]
        if not chosen:
            chosen = [folder / "all"]
    else:
        chosen = [folder / ("all" if fold == "all" else f"fold_{fold}") for fold in asked]
    if not chosen:
        raise DataError("no folds were asked for", where=str(folder))
    for fold in chosen:
        for suffix in (".model", ".model.pkl"):
            if not (fold / f"{checkpoint}{suffix}").is_file():
                raise DataError(
                    f"no {checkpoint}{suffix} in {fold.name}",
                    where=str(folder),
                    hint="finish the training of this fold, or name the folds that are there",
                )
    return tuple(chosen)


def _trainer_class(name: Any, record: dict[str, Any], path: Path) -> type:
    from nnunet.training.network_training.nnUNetTrainer import nnUNetTrainer

    known = isinstance(name, str) and name.isidentifier()
    cls = mounting.find(mounting.TRAINER, name) if known else None
    if not isinstance(cls, type) or not issubclass(cls, nnUNetTrainer):
        raise PluginError(
            f"nnU-Net finds no trainer {name!r}",
            where=str(path),
            hint=_trained_with(record) or "install the plugin that has this trainer",
        )
    return cls


def _is_second_stage(cls: type) -> bool:
    """Whether it is a trainer of a cascade's second stage."""
    from nnunet.training.network_training.nnUNetTrainerCascadeFullRes import (
        nnUNetTrainerCascadeFullRes,
    )
    from nnunet.training.network_training.nnUNetTrainerV2_CascadeFullRes import (
        nnUNetTrainerV2CascadeFullRes,
    )

    return issubclass(cls, nnUNetTrainerCascadeFullRes | nnUNetTrainerV2CascadeFullRes)


def _trained_with(origin: Any) -> str | None:
    """What to install, from the record of a class."""
    named = [str(origin[key]) for key in ("owner", "version") if origin.get(key)] if origin else []
    return f"it was trained with {' '.join(named)}: install and enable that" if named else None


def _restore(
    cls: type, info: dict[str, Any], options: object | None, folder: Path, path: Path
) -> Any:
    """Construct with the stored arguments, but never with the paths among them."""
    pristine_augmentation()
    with tempfile.TemporaryDirectory() as nowhere:
        neutral = {
            "plans_file": str(folder / "plans.pkl"),
            "output_folder": nowhere,
            "dataset_directory": nowhere,
            "fold": 0,
        }
        try:
            bound = inspect.signature(cls).bind(*info["init"])
            bound.arguments.update({k: v for k, v in neutral.items() if k in bound.arguments})
            alone = trainers.alone(cls)
            if alone is not cls:
                known = inspect.signature(alone).parameters
                arguments = {k: v for k, v in bound.arguments.items() if k in known}
                bound = inspect.signature(alone).bind(**arguments)
            trainer: Any = alone(*bound.args, **bound.kwargs)
            trainer.print_to_log_file = _print
            if options is not None:
                trainer.options = options
            trainer.process_plans(info["plans"])
            if trainer.plans.get("preprocessor_name") is not None:
                hint = _trained_with(info.get("nnplug", {}).get("preprocessor"))
                planners.check_preprocessor(trainer.plans["preprocessor_name"], str(path), hint)
            trainer.initialize(False)
        except NnplugError:
            raise
        except Exception as error:
            raise TrainingError(
                f"the model can't be restored: {type(error).__name__}: {error}", where=str(path)
            ) from error
    return trainer


def _print(*args: Any, **_: Any) -> None:
    """Instead of writing a log file beside the model."""
    print(*args)  # noqa: T201 - goes to the log that quiet() opened


def set_mirroring(trainer: Any, record: dict[str, Any]) -> None:
    """Let a restored trainer mirror at prediction as nnplug's record says that it trained."""
    trainer.data_aug_params = copy.deepcopy(trainer.data_aug_params)
    mirror = record.get("mirror")
    if isinstance(mirror, dict) and mirror.get("mirror_axes") is not None:
        trainer.data_aug_params["do_mirror"] = bool(mirror.get("do_mirror"))
        trainer.data_aug_params["mirror_axes"] = tuple(mirror["mirror_axes"])


def _weights(trainer: Any, path: Path) -> dict[str, Any]:
    content = load_checkpoint(path)
    try:
        trainer.load_checkpoint_ram(content, False)
    except Exception as error:
        raise TrainingError(
            f"the weights don't fit the plans: {str(error).splitlines()[0]}", where=str(path)
        ) from error
    return content
