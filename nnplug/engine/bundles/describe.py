"""What a model's folder says about the model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnplug.engine import cascade
from nnplug.engine.bundles.layout import PLANS, is_model
from nnplug.engine.checkpoints import FINAL
from nnplug.engine.safe import read_pickle
from nnplug.errors import DataError


@dataclass(frozen=True)
class Description:
    """A model.

    Attributes:
        name: ``NETWORK/TASK/TRAINER__PLANS``.
        folds: those with a final checkpoint, e.g. ``("fold_0", "fold_1")``.
        trainer: the trainer's class.
        qualified_name: with its module; empty if nobody wrote it down.
        package: the distribution with the trainer; empty if nobody wrote it down.
        version: of that package; empty for nnU-Net's own trainers.
        plans: the content of ``plans.pkl``.
        needs: class to package, as pip takes it, of the trainer and the preprocessor where
            they are not nnU-Net's own and somebody wrote it down.
        first_stage: of a cascade's second stage, the name of the model whose masks it takes.
        source_labels: how to get back to the source's label values; see
            ``TaskFolder.source_labels``.
    """

    name: str
    folds: tuple[str, ...]
    trainer: str
    qualified_name: str
    package: str
    version: str
    plans: dict[str, Any]
    source_labels: dict[str, Any] | None
    needs: dict[str, str]
    first_stage: str | None


def describe(folder: Path) -> Description:
    """Read plans and the first fold's ``.model.pkl``, as data only.

    Raises:
        DataError: not a whole model, or a file asks for more than data.
    """
    name = "/".join(folder.parts[-3:])
    if not is_model(name):
        raise DataError(
            "not a model's folder: nnU-Net calls it NETWORK/TASK/TRAINER__PLANS", where=str(folder)
        )
    folds = finished_folds(folder)
    if not folds:
        raise DataError(f"no fold with a {FINAL}.model and its .pkl", where=str(folder))
    plans = read_pickle(folder / PLANS)
    path = folder / folds[0] / f"{FINAL}.model.pkl"
    info = read_pickle(path)
    if not isinstance(plans, dict) or "plans_per_stage" not in plans:
        raise DataError("not the plans of nnU-Net v1", where=str(folder / PLANS))
    if not isinstance(info, dict) or not {"init", "name", "plans"} <= set(info):
        raise DataError("not a model of nnU-Net v1: keys are missing", where=str(path))
    found = info.get("nnplug")
    record: dict[str, Any] = found if isinstance(found, dict) else {}
    stock = re.fullmatch(r"<class '([\w.]+)'>", str(info.get("class")))
    qualified_name = str(record.get("class") or (stock[1] if stock else ""))
    origin = record.get("owner") or "", record.get("version") or ""
    package, version = ("nnunet", "") if qualified_name.startswith("nnunet.") else origin
    return Description(
        name,
        folds,
        str(info["name"]),
        qualified_name,
        str(package),
        str(version),
        plans,
        record.get("source_labels"),
        {**_needed(record), **_needed(record.get("preprocessor") or {})},
        cascade.first_stage_name(name, info),
    )


def _needed(origin: dict[str, Any]) -> dict[str, str]:
    name, package = str(origin.get("class") or ""), str(origin.get("owner") or "")
    if not package or name.startswith("nnunet."):
        return {}
    version = origin.get("version")
    return {name.rpartition(".")[2]: f"{package}=={version}" if version else package}


def finished_folds(folder: Path) -> tuple[str, ...]:
    """The folders of the folds with a final checkpoint: by number, then ``all``."""
    found = [path.name for path in folder.glob("fold_*") if path.name[5:].isdecimal()]
    names = [*sorted(found, key=lambda name: int(name[5:])), "all"]
    return tuple(
        name
        for name in names
        if all((folder / name / f"{FINAL}{end}").is_file() for end in (".model", ".model.pkl"))
    )
