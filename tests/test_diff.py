"""What differs between two runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nnplug.errors import DataError
from nnplug.stages import diff

RUN: dict[str, Any] = {
    "config": {"seed": 1, "trainer": {"initial_lr": 0.01}},
    "data_hash": "d1",
    "versions": {"torch": "2.13"},
    "status": "finished",
    "result": {"mean_dice": 0.75},
}


def write(folder: Path, losses: list[float], **changes: Any) -> Path:
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps({**RUN, **changes}))
    rows = [{"epoch": n, "train_loss": loss, "val_loss": 1} for n, loss in enumerate(losses, 1)]
    (folder / "progress.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return folder


def test_equal_runs_have_no_differences(tmp_path: Path) -> None:
    found = diff.compare(write(tmp_path / "a", [3, 2]), write(tmp_path / "b", [3, 2]))
    assert not any(found.values())
    assert diff.told(found)[0] == "config: the same"


def test_differences_by_section(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = write(tmp_path / "a", [3, 2, 1])
    other = write(
        *(tmp_path / "b", [3, 2.5, 1]),
        config={"seed": 1, "trainer": {"initial_lr": 0.1, "epochs": 3}},
        data_hash="d2",
        versions={"torch": "2.14"},
        result={"mean_dice": 0.5},
    )
    diff.main([str(one), str(other), "--json"])
    assert json.loads(capsys.readouterr().out) == {
        "config": {"trainer.initial_lr": [0.01, 0.1], "trainer.epochs": [None, 3]},
        "data": {"data_hash": ["d1", "d2"]},
        "software": {"versions.torch": ["2.13", "2.14"]},
        "hardware": {},
        "results": {"result.mean_dice": [0.75, 0.5], "first epoch with other losses": [2, 2]},
    }
    diff.main([str(one), str(other)])
    assert "  trainer.initial_lr: 0.01 | 0.1\n" in capsys.readouterr().out


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no run\.json"):
        diff.compare(tmp_path, tmp_path)
