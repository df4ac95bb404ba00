"""new-plugin: write a package that offers something to nnplug, complete with tests."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from pathlib import Path

from nnplug.errors import ConfigError, StorageError
from nnplug.scaffold.kinds import ALL, KINDS
from nnplug.scaffold.package import package

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def main(arguments: list[str]) -> None:
    """The verb."""
    parser = argparse.ArgumentParser(prog="nnplug new-plugin", description=__doc__)
    parser.add_argument("name", help="the package's name, e.g. nnplug-mine")
    parser.add_argument("--kind", action="append", required=True, choices=[*KINDS, ALL])
    parser.add_argument("--into", type=Path, default=Path(), help="the folder to put it in")
    chosen = parser.parse_args(arguments)
    kinds = [kind for kind in KINDS if ALL in chosen.kind or kind in chosen.kind]
    folder = run(chosen.name, kinds, chosen.into)
    sys.stdout.write(f"{folder}\nnext: pip install -e {folder}[dev], then pytest in that folder\n")


def run(name: str, kinds: list[str], into: Path) -> Path:
    """Write the package and return its folder.

    Raises:
        ConfigError: the name can't be a package's.
        StorageError: the folder is there already, or can't be written.
    """
    if not NAME.fullmatch(name) or name in ("nnplug", "nnplug-nnplug"):
        raise ConfigError(
            f"{name!r} can't be the name of a package",
            where="nnplug new-plugin",
            hint="small letters, digits and single hyphens, e.g. nnplug-mine",
        )
    folder = into / name
    if folder.exists():
        raise StorageError("there is something already", where=str(folder), hint="choose a name")
    try:
        into.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=into, prefix=f".{name}-") as beside:
            for path, text in package(name, kinds).items():
                target = Path(beside, "made", path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, encoding="utf-8")
            shutil.move(Path(beside, "made"), folder)
    except OSError as error:
        raise StorageError(f"it can't be written: {error.strerror}", where=str(folder)) from error
    return folder
