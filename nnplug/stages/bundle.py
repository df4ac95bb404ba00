"""bundle: models as files: export one, import one, list those that are here."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnplug.catalog import Catalog
from nnplug.config.folders import Folders
from nnplug.console import say, warn
from nnplug.data.files import replacing, storage_errors
from nnplug.errors import ConfigError, NnplugError
from nnplug.stages.bundle_request import Request, parse
from nnplug.stages.provenance import versions

if TYPE_CHECKING:
    from nnplug.engine.bundles.describe import Description


def main(arguments: list[str]) -> None:
    """The verb."""
    request = parse(arguments)
    if request.action == "export":
        _export(request)
    elif request.action == "import":
        _import(request)
    else:
        _list(request)


def _export(request: Request) -> None:
    from nnplug.engine.bundles import export, manifest

    values = request.values
    output = request.file(values.get("output"), "output=FILE.zip")
    if output.exists():
        raise ConfigError("the file is there already", where=str(output), hint="choose another")
    folder = _model(request)
    earlier = manifest.read(folder) or {}
    licence = values.get("licence") or earlier.get("licence")
    with replacing(output) as partial:
        about = export.write(
            folder,
            partial,
            folds=request.folds,
            licence=licence,
            labels=_labels(request.folders, folder.parent.name),
            created={
                "date": datetime.now(UTC).isoformat(timespec="seconds"),
                "versions": versions(),
            },
        )
    sha256 = manifest.sha256(output)
    say(f"model {about.name}, licence {licence or 'not given (licence=TEXT)'}\nSHA-256 {sha256}")
    if request.as_json:
        _print_json({"name": about.name, "file": str(output), "sha256": sha256})
    else:
        sys.stdout.write(f"{output}\n")


def _import(request: Request) -> None:
    from nnplug.engine.bundles import install, manifest

    bundle = request.file(request.operand, "FILE.zip")
    if not bundle.is_file():
        raise ConfigError("there is no such file", where=str(bundle), hint="name the zip file")
    models = request.folders.models
    with storage_errors(models.parent):
        found = install.install(bundle, models, limits=request.limits, trusted=request.trust)
    catalog = Catalog.build()
    for about in found:
        licence = (manifest.read(models / about.name) or {}).get("licence")
        say(f"imported {models / about.name}, licence {licence or 'not given'}")
        if package := _missing(about, catalog):
            warn(f"its trainer {about.trainer} is not installed: pip install {package}")
    if request.as_json:
        listed = [_plain(about, models, catalog) for about in found]
        _print_json({"name": found[0].name if len(found) == 1 else None, "models": listed})
    else:
        sys.stdout.writelines(f"{about.name}\n" for about in found)


def _list(request: Request) -> None:
    from nnplug.engine.bundles.describe import describe

    folders, catalog = request.folders, Catalog.build()
    listed = []
    for name in folders.model_names():
        try:
            listed.append(_plain(describe(folders.models / name), folders.models, catalog))
        except NnplugError as error:
            listed.append({"name": name, "problem": error.problem})
    if request.as_json:
        _print_json(listed)
        return
    for model in listed:
        about = model.get("problem") or f"{', '.join(model['folds'])}; {model['licence'] or '-'}"
        sys.stdout.write(f"{model['name']}  {about}\n")
    if not listed:
        say(f"no models below {folders.models}")


def _plain(about: Description, models: Path, catalog: Catalog) -> dict[str, Any]:
    from nnplug.engine.bundles import manifest

    return {
        "name": about.name,
        "folder": str(models / about.name),
        "folds": list(about.folds),
        "trainer": about.trainer,
        "package": about.package or None,
        "version": about.version or None,
        "install": _missing(about, catalog),
        "licence": (manifest.read(models / about.name) or {}).get("licence") or None,
    }


def _missing(about: Description, catalog: Catalog) -> str | None:
    """The package with the trainer, as pip takes it, if the trainer isn't installed."""
    offered = {entry.spec.target.partition(":")[2] for entry in catalog.trainers}
    if about.trainer in offered or about.package in ("", "nnunet"):
        return None
    return f"{about.package}=={about.version}" if about.version else about.package


def _model(request: Request) -> Path:
    values = request.values
    given = [v for v in (request.operand, values.get("model"), values.get("dataset")) if v]
    if len(given) != 1:
        raise ConfigError("which model?", hint="a name or folder, or dataset=NAME; one of them")
    trainer = values.get("trainer", "")
    for entry in Catalog.build().trainers if trainer else ():
        if entry.spec.name == trainer:
            trainer = entry.spec.target.partition(":")[2]
    return request.folders.find_model(
        Path(given[0]).expanduser(), values.get("network", ""), trainer
    )


def _labels(folders: Folders, task: str) -> dict[str, str] | None:
    """Value to name, from the task's dataset.json if it is still there."""
    for folder in (folders.preprocessed / task, folders.task(task)):
        path = folder / "dataset.json"
        if path.is_file():
            labels: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))["labels"]
            return labels
    return None


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2) + "\n")
