"""Write a model as a bundle that stock nnU-Net and nnplug can install."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nnplug.engine import cascade
from nnplug.engine.bundles.describe import Description, describe
from nnplug.engine.bundles.layout import (
    ARCHITECTURE,
    DEBUG,
    MANIFEST,
    PLANS,
    PLANS_JSON,
    POSTPROCESSING,
    PROGRESS,
)
from nnplug.engine.bundles.manifest import FORMAT
from nnplug.engine.bundles.neutral import neutral, neutral_json, neutral_pickle
from nnplug.engine.checkpoints import FINAL, plain
from nnplug.engine.safe import load_checkpoint, read_pickle
from nnplug.errors import ConfigError

_CHUNK = 1 << 20


def write(
    folder: Path,
    output: Path,
    *,
    folds: Sequence[str] | None = None,
    licence: str | None = None,
    labels: Mapping[str, str] | None = None,
    created: Mapping[str, Any],
) -> Description:
    """Write the final checkpoints of a model and all that is needed to predict with them.

    With a cascade's second stage goes its first, of the same folds.

    The files are those of ``nnUNet_export_model_to_zip``, without the absolute paths of the
    machine that trained the model; added are ``plans.json``, the weights of each fold as
    ``.safetensors`` and ``nnplug_bundle.json``.

    Args:
        folder: the model, ``.../NETWORK/TASK/TRAINER__PLANS``. Only read.
        output: the zip file; replaced.
        folds: e.g. ``["fold_0", "all"]``; None takes every finished one.
        licence: what the receiver may do, e.g. an SPDX identifier.
        labels: value to name, if known; else the values alone.
        created: plain data about when and with what.

    Raises:
        ConfigError: a fold is not there or not finished.
        DataError, TrainingError: the model is damaged.
    """
    about = describe(folder)
    chosen = tuple(folds or about.folds)
    described = {folder: about}
    if about.first_stage is not None:
        first = cascade.beside(folder, about.first_stage)
        described[first] = describe(first)
    for path, model in described.items():
        _check_folds(path, chosen, model.folds)
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, model in described.items():
            hashes = {
                name: _add(archive, f"{model.name}/{name}", content)
                for name, content in _files(path, chosen)
            }
            manifest = {
                "format": FORMAT,
                "name": model.name,
                "trainer": {
                    "class": model.trainer,
                    "qualified_name": model.qualified_name,
                    "package": model.package,
                    "version": model.version,
                },
                "licence": licence,
                "dataset": _dataset(model, labels),
                "created": dict(created),
                "files": hashes,
            }
            content = json.dumps(manifest, indent=2).encode()
            _add(archive, f"{model.name}/{MANIFEST}", content)
    return about


def _check_folds(folder: Path, chosen: Sequence[str], finished: Sequence[str]) -> None:
    if missing := [fold for fold in chosen if fold not in finished]:
        raise ConfigError(
            f"{', '.join(missing)} is not there or not finished",
            where=str(folder),
            hint=f"finished: {', '.join(finished)}",
        )


def _files(folder: Path, folds: Sequence[str]) -> Iterator[tuple[str, bytes | Path]]:
    """Names below the model's folder, and what is to be stored under them."""
    plans = read_pickle(folder / PLANS)
    yield PLANS, neutral_pickle(plans)
    yield PLANS_JSON, json.dumps(plain(neutral(plans)), indent=2).encode()
    if (folder / POSTPROCESSING).is_file():
        yield POSTPROCESSING, neutral_json((folder / POSTPROCESSING).read_text(encoding="utf-8"))
    for fold in folds:
        weights = folder / fold / f"{FINAL}.model"
        yield f"{fold}/{weights.name}", weights
        yield f"{fold}/{weights.name}.pkl", neutral_pickle(read_pickle(f"{weights}.pkl"))
        yield f"{fold}/{FINAL}.safetensors", _safetensors(weights)
        debug = folder / fold / DEBUG
        if debug.is_file():
            yield f"{fold}/{DEBUG}", neutral_json(debug.read_text(encoding="utf-8"))
        for name in (PROGRESS, ARCHITECTURE):
            if (folder / fold / name).is_file():
                yield f"{fold}/{name}", folder / fold / name


def _safetensors(path: Path) -> bytes:
    """The network's weights alone, under their names in nnU-Net's state dict."""
    from safetensors.torch import save

    weights = load_checkpoint(path)["state_dict"]
    # Tensors that share memory are refused by safetensors.
    own = {name: tensor.detach().contiguous().clone() for name, tensor in weights.items()}
    return save(own, metadata={"format": "pt"})


def _add(archive: zipfile.ZipFile, name: str, content: bytes | Path) -> str:
    """Store one file, without a date; returns its SHA-256."""
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    digest = hashlib.sha256()
    with archive.open(entry, "w", force_zip64=True) as sink:
        for chunk in _chunks(content):
            digest.update(chunk)
            sink.write(chunk)
    return digest.hexdigest()


def _chunks(content: bytes | Path) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _dataset(about: Description, labels: Mapping[str, str] | None) -> dict[str, Any]:
    values = map(str, plain(about.plans.get("all_classes") or []))
    return {
        "task": about.name.split("/")[1],
        "channels": plain(about.plans.get("modalities") or {}),
        "labels": dict(labels) if labels else dict.fromkeys(values),
        "source_labels": about.source_labels,
    }
