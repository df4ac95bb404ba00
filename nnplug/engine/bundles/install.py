"""Install a bundle: look at everything in a staging folder, then rename it into place."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from nnplug.engine.bundles import manifest, trust
from nnplug.engine.bundles.archive import Limits, unpack
from nnplug.engine.bundles.describe import Description, describe
from nnplug.engine.bundles.layout import MANIFEST, is_model, unit_of
from nnplug.engine.hashing import sha256
from nnplug.engine.safe import load_checkpoint, read_pickle
from nnplug.errors import DataError, NnplugError, TrainingError


def install(
    bundle: Path, models: Path, *, limits: Limits | None = None, trusted: str | None = None
) -> list[Description]:
    """Install the models of a bundle, of nnplug or of stock nnU-Net, whole or not at all.

    Args:
        bundle: the zip file.
        models: nnU-Net's folder of models; made if need be. The staging folder is beside it.
        limits: how much the bundle may hold.
        trusted: the SHA-256 of the zip file. Its pickles are then run, once, and what they
            give is kept as plain data.

    Returns:
        What was installed, sorted by name; a model of several that is there already, file by
        file (the first stage of two cascades), counts as well.

    Raises:
        DataError: not a bundle, damaged, hostile, too big, or a model is there already.
        TrainingError: weights that are damaged or hostile.
    """
    with contextlib.ExitStack() as stack:
        try:
            stream = stack.enter_context(bundle.open("rb"))
        except OSError as error:
            raise DataError(f"can't be read: {error.strerror}", where=str(bundle)) from error
        _check_trust(stream, trusted, bundle)
        beside = stack.enter_context(_folder(models.parent))
        prefix = ".nnplug-import-"
        staging = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=prefix, dir=beside)))
        names = unpack(stream, str(bundle), staging, limits or Limits())
        units = sorted({unit for name in names if (unit := unit_of(name))})
        shared = [unit for unit in units if _is_there(staging / unit, models / unit)]
        if len(shared) == len(units):
            shared = []
        new = [unit for unit in units if unit not in shared]
        for unit in new:
            _refuse_existing(models / unit)
        with _naming(bundle, staging):
            described = _vet(staging, units, trusted=trusted is not None)
        _move(staging, models, new)
    return described


def _check_trust(stream: io.BufferedReader, trusted: str | None, bundle: Path) -> None:
    if trusted is not None and trusted.lower() != sha256(stream):
        raise DataError(
            "its SHA-256 is not the one that is trusted",
            where=str(bundle),
            hint="ask its maker for the hash; this is another file",
        )


@contextlib.contextmanager
def _naming(bundle: Path, staging: Path) -> Iterator[None]:
    """Errors name the archive and the file in it, not the staging folder."""
    try:
        yield
    except NnplugError as error:
        where = (error.where or "").replace(str(staging), "").strip("/")
        hint = error.hint or "get it again from its source"
        raise type(error)(error.problem, where=f"{bundle}: {where}", hint=hint) from error


def _vet(staging: Path, units: list[str], *, trusted: bool) -> list[Description]:
    """Read every file as data."""
    for unit in units:
        manifest.verify(staging / unit)
    if trusted:
        trust.run_pickles(staging)
    for path in sorted(staging.rglob("*")):
        if path.suffix == ".pkl":
            read_pickle(path)
        elif path.suffix == ".model":
            load_checkpoint(path)
        elif path.suffix == ".safetensors":
            _check_safetensors(path)
        elif path.suffix == ".json":
            _check_json(path)
    return [describe(staging / unit) for unit in units if is_model(unit)]


def _check_safetensors(path: Path) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as content:
            content.keys()
    except SafetensorError as error:
        raise TrainingError(f"not a safetensors file: {error}", where=str(path)) from error


def _check_json(path: Path) -> None:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError("not JSON", where=str(path)) from error


def _is_there(staged: Path, folder: Path) -> bool:
    """Every file of it, the same."""
    files = [path for path in staged.rglob("*") if path.is_file() and path.name != MANIFEST]
    there = [folder / path.relative_to(staged) for path in files]
    return all(path.is_file() for path in there) and list(map(sha256, files)) == [
        *map(sha256, there)
    ]


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise DataError(
            "there is such a model already",
            where=str(path),
            hint="move it away, or import below another paths.root=DIR",
        )


def _move(staging: Path, models: Path, units: list[str]) -> None:
    done: list[str] = []
    with contextlib.ExitStack() as stack:
        for unit in units:
            stack.enter_context(_folder((models / unit).parent))
        try:
            for unit in units:
                _refuse_existing(models / unit)
                (staging / unit).rename(models / unit)
                done.append(unit)
        except BaseException:
            for unit in done:
                (models / unit).rename(staging / unit)
            raise


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[Path]:
    """Make a folder; what of it is new and still empty at the end goes again."""
    new = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):
            for folder in new:
                folder.rmdir()
