"""rerun: repeat a training from its run.json, beside the first or in another root."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nnplug.catalog import Catalog
from nnplug.config.folders import Folders
from nnplug.config.load import model_settings
from nnplug.console import say, warn
from nnplug.data.taskfolder import TaskFolder
from nnplug.errors import DataError
from nnplug.stages import diff, provenance, record, train
from nnplug.whole import storage_errors

RERUNS = "reruns"


def main(arguments: list[str]) -> None:
    """The verb."""
    parser = argparse.ArgumentParser(prog="nnplug rerun", description=__doc__)
    parser.add_argument("folder", type=Path, help="of a fold: the one with run.json")
    parser.add_argument("--root", type=Path, help="for the new run; else reruns/N in the old root")
    parser.add_argument("--anyway", action="store_true", help="even if versions or data differ")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted rerun")
    chosen = parser.parse_args(arguments)
    folder = chosen.folder.expanduser().resolve()
    about = record.read(folder)
    catalog = Catalog.build()
    old = Folders.below(Path(about["root"]))
    task = model_settings(_config(about, Path(about["root"])), catalog).dataset.task
    _check(about, old.task(task), catalog, anyway=chosen.anyway)
    root = chosen.root or _free(Path(about["root"]) / RERUNS, resume=chosen.resume)
    root = root.expanduser().resolve()
    _link(old, Folders.below(root), task)
    say(f"repeating {folder} in {root}")
    config = _config(about, root)
    settings = model_settings({**config, "resume": chosen.resume}, catalog)
    train.run(settings, catalog, config)
    again = Folders.below(root).models / about["name"]
    for line in diff.told(diff.compare(folder, again)):
        say(line)


def _config(about: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """The recorded configuration, to train from the converted data, and from the start."""
    config = dict(about["config"])
    dataset = {
        key: value
        for key, value in config["dataset"].items()
        if key != "source" and not str(value).startswith(record.WITHHELD)
    }
    started = {"newest": False, "extend": None}
    return {**config, "dataset": dataset, "paths": {"root": str(root)}, "resume": started}


def _check(about: Mapping[str, Any], task: Path, catalog: Catalog, *, anyway: bool) -> None:
    """Compare software and data with what was recorded.

    Raises:
        DataError: they differ.
    """
    if about["config"].get("extend"):
        raise DataError(
            f"this training was extended by {about['config']['extend']} epochs",
            where=about["name"],
            hint="train it as it was first, then extend it in the same way",
        )
    if about["seed"] is None:
        warn("this run had no seed, so its repetition will differ in its random numbers")
    found = list(_differences(about, task, catalog))
    if not found:
        return
    listed = "".join(f"\n     {line}" for line in found)
    if not anyway:
        raise DataError(
            f"not everything is as it was (then | now):{listed}",
            where=about["name"],
            hint="restore it, or repeat the run with --anyway",
        )
    warn(f"not everything is as it was (then | now):{listed}")


def _differences(about: Mapping[str, Any], task: Path, catalog: Catalog) -> Iterator[str]:
    owner = about["trainer"]["owner"]
    now = {
        "versions": provenance.versions(),
        "plugins": _of(owner, provenance.plugins(catalog)),
        "sources": provenance.sources({"nnplug", owner}),
    }
    then = {
        "versions": about["versions"],
        "plugins": _of(owner, about["plugins"]),
        "sources": {k: v for k, v in about["sources"].items() if k in ("nnplug", owner)},
    }
    for key, (one, other) in diff.differing(then, now).items():
        yield f"{key}: {one} | {other}"
    data = TaskFolder(task)
    if not data.is_complete:
        yield f"data: {about['data_hash']} | not there ({task})"
    elif data.data_hash() != about["data_hash"]:
        yield f"data: {about['data_hash']} | {data.data_hash()}"


def _of(owner: str, plugins: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in plugins.items() if text.split()[0] == owner}


def _free(folder: Path, *, resume: bool) -> Path:
    """The first number without a folder; to resume, the last with one."""
    number = next(n for n in itertools.count(1) if not (folder / str(n)).exists())
    return folder / str(max(1, number - 1) if resume else number)


def _link(old: Folders, new: Folders, task: str) -> None:
    """Let a new root use the converted and preprocessed data of the old one."""
    for source, target in (
        (old.task(task), new.task(task)),
        (old.preprocessed / task, new.preprocessed / task),
    ):
        if source.is_dir() and not target.exists():
            with storage_errors(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(source)
