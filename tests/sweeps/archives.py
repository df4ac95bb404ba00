"""Archives of small cases, and conversions of them, each command in a process as a user's is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import contract
import numpy as np
import SimpleITK as sitk

DATASET = (
    *("dataset.name=Toy", "dataset.task_id=301", "dataset.channels={0: CT}", "converter=nifti"),
    *("dataset.labels={background: 0, a: 1, b: 2}", "workers=0"),
)


@dataclass(frozen=True)
class Archive:
    """A folder of images and labels, which are hard links to a few."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, cases: int, kinds: int = 5) -> Archive:
        """Of that many cases; every ``kinds``-th is the same image."""
        rng = np.random.default_rng(5)
        for number in range(cases):
            for what, high, kind in (("images", 1000, np.int16), ("labels", 3, np.uint8)):
                path = folder / "source" / what / f"case{number:04d}.nii.gz"
                path.parent.mkdir(parents=True, exist_ok=True)
                if number < kinds:
                    values = rng.integers(0, high, (6, 8, 10)).astype(kind)
                    sitk.WriteImage(sitk.GetImageFromArray(values), str(path))
                else:
                    path.hardlink_to(path.with_name(f"case{number % kinds:04d}.nii.gz"))
        return cls(folder)

    @property
    def source(self) -> Path:
        """``dataset.source``."""
        return self.folder / "source"

    def converted(self, root: str) -> Converted:
        """What is converted below the folder ``root``."""
        return Converted(self.folder / root)

    def start(
        self, root: str, *overrides: str, variables: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start ``nnplug convert``."""
        command = [sys.executable, "-P", "-m", "nnplug", "convert", *DATASET, *overrides]
        return subprocess.Popen(
            [*command, f"dataset.source={self.source}", f"paths.root={self.folder / root}"],
            env={**os.environ, **(variables or {})},
            cwd=self.folder,
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def run(self, root: str, *overrides: str, **more: Any) -> tuple[int, str]:
        """Run it to its end: exit code and what it said."""
        process = self.start(root, *overrides, **more)
        _, err = process.communicate(timeout=300)
        return process.returncode, err


@dataclass(frozen=True)
class Converted:
    """The root below which an archive was converted."""

    root: Path

    @property
    def task(self) -> Path:
        """The task folder."""
        return self.root / "nnUNet_raw_data_base" / "nnUNet_raw_data" / "Task301_Toy"

    def parts(self) -> dict[int, dict[str, dict[str, Any]]]:
        """What each shard says that it has done, by its number: case to row."""
        return {int(path.stem): _rows(path) for path in self.task.glob("nnplug_shards/*/*.jsonl")}

    def rows(self) -> dict[str, dict[str, Any]]:
        """The manifest: case to row."""
        return _rows(self.task / "nnplug_manifest.jsonl")

    def states(self) -> dict[int, dict[str, Any]]:
        """Each shard's ``state.json`` by its number."""
        found = {}
        for path in self.root.glob("shards/*/*/state.json"):
            number = json.loads(path.with_name("config.json").read_text())["config"]["shard"]
            found[number["number"]] = json.loads(path.read_text())
        return dict(sorted(found.items()))

    def content(self) -> dict[str, Any]:
        """Every file that is the same for the same cases, and the manifest without times."""
        rows = {case: {**row, "stamps": None} for case, row in self.rows().items()}
        files = (p for p in self.task.rglob("*") if p.is_file() and p.suffix != ".jsonl")
        kept = {str(p.relative_to(self.task)): p.read_bytes() for p in files}
        return {"rows": rows, **kept}


def a_lost_node_costs_its_shards_only(
    archive: Archive, kill: Any, *overrides: str, variables: Mapping[str, str]
) -> None:
    """A node is killed in the midst of four shards: their rest is done elsewhere."""
    process = archive.start("spread", *overrides, "parallel.shards=4", variables=variables)
    spread = archive.converted("spread")
    contract.wait_for(lambda: sum(len(part) > 5 for part in spread.parts().values()) == 4, 120)
    kill()
    before = {case: row for part in spread.parts().values() for case, row in part.items()}
    assert len(before) < 2000
    _, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert "2000 converted, 0 unchanged" in err
    after = spread.rows()
    assert all(after[case]["stamps"] == row["stamps"] for case, row in before.items())
    attempts = sorted(state["attempts"] for state in spread.states().values())
    assert attempts[0] == 1
    assert attempts[-1] == 2
    code, err = archive.run("local")
    assert code == 0, err
    assert spread.content() == archive.converted("local").content()


def _rows(path: Path) -> dict[str, dict[str, Any]]:
    """Whole lines only: the last one may be in the making."""
    lines = path.read_text().splitlines(keepends=True) if path.is_file() else []
    rows = [json.loads(line) for line in lines if line.endswith("\n")]
    return {row["case"]: row for row in rows}
