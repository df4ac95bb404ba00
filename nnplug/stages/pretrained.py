"""The checkpoint that ``pretrained`` means; a training that goes on can do without it."""

from __future__ import annotations

from pathlib import Path

from nnplug.config.folders import Folders
from nnplug.config.settings import Pretrained
from nnplug.errors import ConfigError
from nnplug.stages.fold import Fold


def of(fold: Fold) -> Path | None:
    """The ``.model`` file that the fold starts from; None if none is wanted.

    Where it is gone and the fold goes on from a checkpoint, what that one started from.

    Raises:
        ConfigError: it is needed, and there is no such file, model or fold, or several folds.
    """
    try:
        return _find(fold.settings.pretrained, fold.folders)
    except ConfigError:
        known = fold.started_from() if fold.settings.resume else None
        if known is None:
            raise
        return Path(known)


def _find(wanted: Pretrained | None, folders: Folders) -> Path | None:
    if wanted is None:
        return None
    if wanted.model.suffix == ".model":
        if not wanted.model.is_file():
            raise ConfigError("there is no such file", where=f"pretrained={wanted.model}")
        return wanted.model
    folder = folders.find_model(wanted.model)
    name = f"{wanted.checkpoint}.model"
    there = sorted(path.parent.name for path in folder.glob(f"*/{name}"))
    if wanted.fold is not None:
        chosen = "all" if wanted.fold == "all" else f"fold_{wanted.fold}"
    else:
        chosen = there[0] if len(there) == 1 else "all"
    if chosen not in there:
        raise ConfigError(
            "which fold?" if wanted.fold is None and there else f"no {name} of that fold",
            where=str(folder),
            hint=f"pretrained.fold=..., of {', '.join(there) or 'none'}",
        )
    return folder / chosen / name
