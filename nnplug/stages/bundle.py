"""bundle: models as files: export one, import one, list those that are here."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnplug.catalog import Catalog
from nnplug.config.folders import Folders
from nnplug.console import say, warn
from nnplug.errors import ConfigError, NnplugError
from nnplug.stages.bundle_request import Request, parse
from nnplug.stages.provenance import versions
from nnplug.whole import replacing, storage_errors

if TYPE_CHECKING:
    from nnplug.engine.bundles.describe import Description


@dataclass(frozen=True)
class Exported:
    """A bundle that was written: the model's name, the file and its SHA-256."""

    name: str
    file: Path
    sha256: str


@dataclass(frozen=True)
class Listed:
    """A model that is here.

    Attributes:
        name: ``NETWORK/TASK/TRAINER__PLANS``.
        folder: of it.
        folds: that are finished.
        trainer: its class.
        package, version: what the trainer came with, where that is known.
        install: what to install, as pip takes it, if the trainer or preprocessor is not here.
        licence: as the bundle gave it.
        first_stage: of a cascade's second stage, the name of the model whose masks it takes.
        problem: why it can't be used; then nothing else is known.
    """

    name: str
    folder: Path
    folds: tuple[str, ...] = ()
    trainer: str = ""
    package: str | None = None
    version: str | None = None
    install: str | None = None
    licence: str | None = None
    first_stage: str | None = None
    problem: str | None = None


def main(arguments: list[str]) -> None:
    """The verb."""
    request = parse(arguments)
    if request.action == "export":
        done = exported(request)
        _print(request, _plain(done), [str(done.file)])
    elif request.action == "import":
        found = imported(request)
        stages = {one.first_stage for one in found}
        names = [one.name for one in found if one.name not in stages]
        name = names[0] if len(names) == 1 else None
        plain = {"name": name, "models": [_plain(one) for one in found]}
        _print(request, plain, names)
    else:
        there = listed(request)
        _print(request, [_plain(one) for one in there], map(_line, there))
        if not there and not request.as_json:
            say(f"no models below {request.folders.models}")


def exported(request: Request) -> Exported:
    """Write a model as a bundle.

    Raises:
        ConfigError: there is no such model, or the file is there already.
    """
    from nnplug.engine.bundles import export, manifest
    from nnplug.engine.hashing import sha256

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
    digest = sha256(output)
    say(f"model {about.name}, licence {licence or 'not given (licence=TEXT)'}\nSHA-256 {digest}")
    return Exported(about.name, output, digest)


def imported(request: Request) -> list[Listed]:
    """Import a bundle's models.

    Raises:
        ConfigError: there is no such file.
        DataError: the bundle is refused.
    """
    from nnplug.engine.bundles import install

    bundle = request.file(request.operand, "FILE.zip")
    if not bundle.is_file():
        raise ConfigError("there is no such file", where=str(bundle), hint="name the zip file")
    models = request.folders.models
    with storage_errors(models.parent):
        found = install.install(bundle, models, limits=request.limits, trusted=request.trust)
    catalog = Catalog.build()
    there = [_listed(about, models, catalog) for about in found]
    for one in there:
        say(f"imported {one.folder}, licence {one.licence or 'not given'}")
    for about in found:
        for name, package in _missing(about, catalog).items():
            warn(f"its class {name} is not installed: pip install {package}")
        if about.first_stage and not (models / about.first_stage).is_dir():
            warn(f"the cascade's first stage is needed too: {about.first_stage}")
    return there


def listed(request: Request) -> list[Listed]:
    """Every model that is here, by name."""
    from nnplug.engine.bundles.describe import describe

    folders, catalog = request.folders, Catalog.build()
    there = []
    for name in folders.model_names():
        folder = folders.models / name
        try:
            there.append(_listed(describe(folder), folders.models, catalog))
        except NnplugError as error:
            there.append(Listed(name, folder, problem=error.problem))
    return there


def _listed(about: Description, models: Path, catalog: Catalog) -> Listed:
    from nnplug.engine.bundles import manifest

    return Listed(
        about.name,
        models / about.name,
        tuple(about.folds),
        about.trainer,
        about.package or None,
        about.version or None,
        " ".join(sorted(set(_missing(about, catalog).values()))) or None,
        (manifest.read(models / about.name) or {}).get("licence") or None,
        about.first_stage,
    )


def _line(one: Listed) -> str:
    about = one.problem or f"{', '.join(one.folds)}; {one.licence or '-'}"
    return f"{one.name}  {about}"


def _plain(result: Exported | Listed) -> dict[str, Any]:
    """For JSON, without what isn't there."""
    values = asdict(result)
    if isinstance(result, Listed):
        if result.problem is not None:
            return {"name": result.name, "problem": result.problem}
        values.pop("problem")
    return values


def _print(request: Request, plain: Any, lines: Iterable[str]) -> None:
    """To standard output, for other programs."""
    if request.as_json:
        sys.stdout.write(json.dumps(plain, indent=2, default=str) + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in lines)


def _missing(about: Description, catalog: Catalog) -> dict[str, str]:
    """Of what the model needs, class to package, what is not installed."""
    offered = {
        entry.spec.target.partition(":")[2]
        for shelf in (catalog.trainers, catalog.preprocessors)
        for entry in shelf
    }
    return {name: package for name, package in about.needs.items() if name not in offered}


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
