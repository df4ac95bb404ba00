"""What a training is made of; another of it can't be gone on with."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from nnplug.engine.checkpoints import Found, plain
from nnplug.errors import DataError

if TYPE_CHECKING:
    from nnplug.engine.training import TrainJob


def identity(trainer: Any, job: TrainJob, extended: int) -> dict[str, Any]:
    """Settings as they are, plans, split and data by hash."""
    settings = {name: getattr(trainer, name) for name in job.settings}
    settings["max_num_epochs"] = int(trainer.max_num_epochs) - extended
    found = {
        "settings": plain(settings),
        "options": plain(job.options),
        "overrides": plain(job.overrides),
        "seed": job.seed,
        "plans": _digest(trainer.plans),
        "data": job.data_hash,
    }
    if trainer.dataset_tr is not None:
        found["split"] = _digest([list(trainer.dataset_tr), list(trainer.dataset_val)])
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
        for key, value in now["settings"].items()
        if "settings" in changed and then["settings"].get(key) != value
    ]
    raise DataError(
        f"changed since this checkpoint: {', '.join(details or changed)}",
        where=str(found.path),
        hint="go on with what it was trained with (more epochs: extend=N), or train anew "
        "in another folder",
    )


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(plain(value), sort_keys=True).encode()).hexdigest()
