"""What was asked of ``nnplug bundle`` on the command line."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nnplug.config.folders import Folders
from nnplug.errors import ConfigError
from nnplug.stages import sources

if TYPE_CHECKING:
    from nnplug.engine.bundles.archive import Limits

USAGE = """\
nnplug bundle export MODEL|dataset=NAME output=FILE.zip [folds=[0,1]] [licence=TEXT]
                            [network=NAME] [trainer=NAME] [paths.root=DIR]
       nnplug bundle import FILE.zip [--json] [--trust SHA256] [paths.root=DIR]
                            [max_gb=N] [max_files=N] [max_ratio=N]
       nnplug bundle list [--json] [paths.root=DIR]"""
KEYS = {
    "export": ("model", "dataset", "network", "trainer", "folds", "licence", "output"),
    "import": ("max_gb", "max_files", "max_ratio"),
    "list": (),
}
ROOT = "paths.root"
_SETTING = re.compile(r"[A-Za-z_][\w.]*=.*", re.DOTALL)


LIMITS = {"max_gb": ("size", 10**9), "max_files": ("files", 1), "max_ratio": ("ratio", 1)}


@dataclass(frozen=True)
class Request:
    """The words of the command line.

    Attributes:
        action: ``"export"``, ``"import"`` or ``"list"``.
        operand: the model or the zip file, unless a key names it.
        values: key to value.
        as_json: print JSON to standard output.
        trust: the SHA-256 of the file whose pickles may run.
    """

    action: str
    operand: str | None
    values: Mapping[str, str] = field(default_factory=dict)
    as_json: bool = False
    trust: str | None = None

    @property
    def folders(self) -> Folders:
        """nnU-Net's three folders."""
        root = self.values.get(ROOT) or os.environ.get("NNPLUG_ROOT", "nnplug_data")
        return Folders.below(Path(root).expanduser().resolve())

    @property
    def folds(self) -> list[str] | None:
        """The folders of the folds that were named."""
        text = self.values.get("folds")
        if text is None:
            return None
        words = [word.strip() for word in text.strip("[]").split(",")]
        if not all(word == "all" or word.isdecimal() for word in words):
            raise ConfigError(f"{text!r} can't be used", where="folds", hint="folds=[0,1] or all")
        return [word if word == "all" else f"fold_{int(word)}" for word in dict.fromkeys(words)]

    @property
    def limits(self) -> Limits:
        """How much an imported file may hold."""
        from nnplug.engine.bundles.archive import Limits

        given = {}
        for key, (name, unit) in LIMITS.items():
            value = self.values.get(key, "")
            if value.isdecimal() and int(value) > 0:
                given[name] = int(value) * unit
            elif value:
                raise ConfigError(
                    f"{value!r} is no whole number above 0", where=key, hint=f"{key}=N"
                )
        return Limits(**given)

    def file(self, value: str | None, what: str) -> Path:
        """An absolute path; ``what`` was missing if there is none."""
        if not value:
            raise ConfigError(f"{what} is missing", hint=f"usage: {USAGE}")
        return Path(value).expanduser().resolve()


def parse(arguments: Sequence[str]) -> Request:
    """Read the words; flags, operands and KEY=VALUE may come in any order.

    Raises:
        ConfigError: a word that can't be used.
    """
    parser = argparse.ArgumentParser(
        prog="nnplug bundle", usage=USAGE, description="Share models as files."
    )
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print JSON to standard output")
    parser.add_argument(
        "--trust", metavar="SHA256", help="run the pickles of the file that has this hash"
    )
    chosen = parser.parse_intermixed_args(arguments)
    settings = [word for word in chosen.words if _SETTING.fullmatch(word)]
    action, *operands = [word for word in chosen.words if word not in settings] or [""]
    if action not in KEYS:
        raise ConfigError(f"bundle can't do {action!r}", hint=f"usage: {USAGE}")
    if len(operands) > (action != "list"):
        raise ConfigError(f"{operands[-1]!r} is one word too many", hint=f"usage: {USAGE}")
    if chosen.trust and action != "import":
        raise ConfigError("--trust is for bundle import", hint="leave it out")
    values = sources.settings(settings, [*KEYS[action], ROOT])
    return Request(
        action, operands[0] if operands else None, values, bool(chosen.json), chosen.trust
    )
