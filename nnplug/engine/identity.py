"""What a training is made of; another of it can't be gone on with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nnplug.engine import next_stage
from nnplug.engine.checkpoints import Found, plain
from nnplug.engine.safe import read_pickle
from nnplug.errors import DataError

if TYPE_CHECKING:
    from nnplug.engine.job import TrainJob

FIRST_STAGE = "predictions of the first stage"


def identity(trainer: Any, job: TrainJob, extended: int) -> dict[str, Any]:
    """Settings as they are, plans, split and data by hash, a cascade's other input by checksum."""
    settings = {name: getattr(trainer, name) for name in job.settings}
    settings["max_num_epochs"] = int(trainer.max_num_epochs) - extended
    found = {
        "settings": plain(settings),
        "options": plain(job.options),
        "overrides": plain(job.overrides),
        "seed": job.seed,
        "plans": _digest(trainer.plans),
        "data": job.data_hash,
        "pretrained": None if job.pretrained is None else "/".join(job.pretrained.parts[-3:]),
    }
    if trainer.dataset_tr is not None:
        found["split"] = _digest([list(trainer.dataset_tr), list(trainer.dataset_val)])
        if job.first_stage is not None:
            found[FIRST_STAGE] = plain(next_stage.fingerprint(job.first_stage))
    return found


def check_same(found: Found, now: dict[str, Any]) -> None:
    """Compare with what the checkpoint was made of, as far as it tells.

    Raises:
        DataError: something changed.
    """
    then = found.record.get("identity") or {}
    changed = [key for key in then if key in now and then[key] != now[key]]
    if not changed:
        return
    details = [
        f"{key}: {then['settings'].get(key)}, now {value}"
        for key, value in now.get("settings", {}).items()
        if "settings" in changed and then["settings"].get(key) != value
    ]
    raise DataError(
        f"changed since this checkpoint: {', '.join(details or changed)}",
        where=str(found.path),
        hint="go on with what it was trained with (more epochs: resume.extend=N), or train anew "
        "in another folder",
    )


_DATA = ("all_classes", "num_modalities", "normalization_schemes", "transpose_forward")
_NETWORK = ("base_num_features", "conv_per_stage")
_STAGE_DATA = ("current_spacing",)
_STAGE_NETWORK = ("pool_op_kernel_sizes", "conv_kernel_sizes")


def check_plans(found: Found, trainer: Any) -> None:
    """Compare the plans of a checkpoint of stock nnU-Net, which has no record, with today's.

    Raises:
        DataError: they have other networks or other data.
    """
    info = {} if found.record else read_pickle(f"{found.path}.pkl")
    then = info.get("plans") if isinstance(info, dict) else None
    if not isinstance(then, dict):
        return
    data = _changes(then, trainer.plans, _DATA, _STAGE_DATA, trainer.stage)
    network = _changes(then, trainer.plans, _NETWORK, _STAGE_NETWORK, trainer.stage)
    if not data and not network:
        return
    hint = f"copy plans.pkl of the model over {trainer.plans_file}"
    if data:
        hint = "go on with data that were planned and preprocessed as those were, or train anew"
    raise DataError(
        f"it was trained with other plans: {'; '.join(data + network)}",
        where=str(found.path),
        hint=hint,
    )


def _changes(
    then: dict[str, Any],
    now: dict[str, Any],
    keys: Sequence[str],
    stage_keys: Sequence[str],
    stage: int,
) -> list[str]:
    old, new = (each["plans_per_stage"].get(stage, {}) for each in (then, now))
    pairs = [(key, then.get(key), now.get(key)) for key in keys]
    pairs += [(key, old.get(key), new.get(key)) for key in stage_keys]
    return [
        f"{key} {plain(before)}, now {plain(after)}"
        for key, before, after in pairs
        if plain(before) != plain(after)
    ]


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(plain(value), sort_keys=True).encode()).hexdigest()
