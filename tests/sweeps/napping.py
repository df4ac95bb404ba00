"""Sweeps over the verb ``nap``, each command in a process as a user's is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@dataclass(frozen=True)
class Swept:
    """How a sweep command ended."""

    code: int
    err: str


def environment(**more: str) -> dict[str, str]:
    """Of a command that knows the verb ``nap``."""
    path = os.pathsep.join([str(HERE / "startup"), str(ROOT)])
    return {**os.environ, "PYTHONPATH": path, "NNPLUG_CONF": str(HERE / "conf"), **more}


@dataclass(frozen=True)
class Naps:
    """A folder with sweeps of naps in it, and what each sweep gets besides its own overrides."""

    root: Path
    engine: tuple[str, ...] = ()
    variables: Mapping[str, str] | None = None

    @property
    def folder(self) -> Path:
        """``sweep.dir``."""
        return self.root / "sweep"

    def start(self, *overrides: str) -> subprocess.Popen[str]:
        """Start the command."""
        words = [sys.executable, "-P", "-m", "nap_sweep", "-m", f"sweep.dir={self.folder}"]
        return subprocess.Popen(
            [*words, f"paths.root={self.root}", *self.engine, *overrides],
            env=environment(**(self.variables or {})),
            cwd=self.root,
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def run(self, *overrides: str) -> Swept:
        """Run it to its end."""
        process = self.start(*overrides)
        _, err = process.communicate(timeout=300)
        return Swept(process.returncode, err)

    def states(self) -> dict[int, dict[str, Any]]:
        """Each job's ``state.json`` by the number of the nap; ``{}`` of one that has none."""
        found = {}
        for path in self.folder.glob("*/config.json"):
            number = json.loads(path.read_text())["config"]["number"]
            state = path.with_name("state.json")
            found[number] = json.loads(state.read_text()) if state.is_file() else {}
        return dict(sorted(found.items()))

    def starts(self) -> dict[int, int]:
        """How often each nap was started."""
        found = {}
        for path in self.root.glob("nap_*/starts"):
            found[int(path.parent.name.partition("_")[2])] = len(path.read_text().splitlines())
        return dict(sorted(found.items()))
