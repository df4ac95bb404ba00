"""What an offline run holds, read from its file."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from nnplug.catalog import Catalog
from nnplug.runs import RunInfo
from nnplug.testing import TrackerContract

BLOCK, WHOLE, LAST = 1 << 15, 1, 4
TELL = """
import sys
from pathlib import Path
from nnplug.runs import RunInfo
from nnplug_wandb.options import WandbOptions
from nnplug_wandb.tracker import WandbTracker
from PIL import Image
folder = Path(sys.argv[1])
picture = folder / "patch.png"
Image.new("P", (30, 20)).save(picture)
config = {"trainer": {"epochs": 3}, "seed": 5}
tracker = WandbTracker(WandbOptions(project="lungs"))
tracker.open(RunInfo("abc", "train", "net/task/fold_0", folder, config, ("core",), False))
tracker.log(1, 10.5, {"train_loss": 0.5, "dice.core": 0.25}, {})
tracker.log(2, 20.5, {"train_loss": 0.25}, {"patch": picture})
tracker.close("finished", {"validation.mean_dice": 0.75})
assert "torch" not in sys.modules
"""


def kept(folder: Path) -> Iterator[Any]:
    """Every record of the runs below a folder, the oldest first."""
    from wandb.proto.wandb_internal_pb2 import Record

    for path in sorted(folder.glob("wandb/offline-run-*/run-*.wandb")):
        for data in _logged(path.read_bytes()):
            record = Record()
            record.ParseFromString(data)
            yield record


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Every record of the run's file."""
    folder = tmp_path_factory.mktemp("run")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("WANDB")
    }
    subprocess.run(
        [sys.executable, "-c", TELL, str(folder)], check=True, env=environment, timeout=120
    )
    assert list(folder.glob("wandb/offline-run-*-abc/files/media/images/*.png"))
    return list(kept(folder))


def _logged(data: bytes) -> Iterator[bytes]:
    """The records of a log in LevelDB's format after W&B's header of 7 bytes."""
    assert data[:4] == b":W&B"
    at, parts = 7, b""
    while at + 7 <= len(data):
        if BLOCK - at % BLOCK < 7:
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (WHOLE, LAST):
            yield parts
            parts = b""


def _items(items: Any) -> dict[str, Any]:
    return {".".join(item.nested_key) or item.key: json.loads(item.value_json) for item in items}


def _history(records: Iterable[Any]) -> list[dict[str, Any]]:
    return [_items(record.history.item) for record in records if record.HasField("history")]


def test_figures_by_epoch_and_the_scores(records: list[Any]) -> None:
    history = _history(records)
    assert [(row["epoch"], row["train_loss"]) for row in history] == [(1, 0.5), (2, 0.25)]
    assert history[0]["dice.core"] == 0.25
    summary = {}
    for record in records:
        if record.HasField("summary"):
            summary |= _items(record.summary.update)
    assert (summary["validation.mean_dice"], summary["status"]) == (0.75, "finished")


def test_the_run_says_who_it_is_but_not_where_it_runs(records: list[Any]) -> None:
    (run,) = [record.run for record in records if record.HasField("run")]
    assert (run.run_id, run.project, run.display_name) == ("abc", "lungs", "net/task/fold_0")
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert (config["seed"], config["trainer"]) == (5, {"epochs": 3})
    assert run.host == "withheld"
    assert run.git.remote_url == ""
    assert not [record for record in records if record.HasField("stats")]


def test_offline_is_the_default() -> None:
    options = Catalog.build().trackers.get("wandb").spec.options
    assert options is not None
    assert options().mode == "offline"


@pytest.mark.slow
class TestTracker(TrackerContract):
    plugin = "nnplug_wandb.plugin"
    tracker = "wandb"

    def history(self, run: RunInfo, figure: str) -> Mapping[int, float]:
        rows = _history(kept(run.folder))
        return {row["epoch"]: row[figure] for row in rows if figure in row}
