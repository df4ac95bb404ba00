"""What trackers cost a training: the same epochs with and without them, in turn."""

from __future__ import annotations

import csv
import itertools
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.append(str(Path(__file__).parent / "acceptance"))
sys.path.append(str(Path(__file__).parent / "sweeps"))

from scans import Scans

EPOCHS, RUNS = 8, 5
TRAINING = (
    *("experiment=hippocampus_grid", "trainer=v2", "fold=0", f"trainer.epochs={EPOCHS}"),
    *("trainer.batches_per_epoch=20", "trainer.val_batches_per_epoch=2", "paths.root=data"),
)
TRACKERS = {"without": (), "with": ("tracking=[tensorboard]",)}


def rows(folder: Path) -> Iterator[str]:
    """Median seconds of an epoch without and with TensorBoard, the median ratio of pairs that ran
    one after the other, and the smallest and largest.
    """
    scans = Scans.copied(folder)
    scans.run(*TRAINING, "trainer.epochs=1", "trainer.batches_per_epoch=1")
    took: dict[str, list[float]] = {name: [] for name in TRACKERS}
    for number in range(RUNS):
        order = list(TRACKERS) if number % 2 else list(reversed(TRACKERS))
        for name in order:
            # A seed of its own is a folder of its own, on the same data.
            seed = f"seed={1000 * (1 + list(TRACKERS).index(name)) + number}"
            scans.run(*TRAINING, *TRACKERS[name], seed)
            took[name].append(_epoch(folder))
    plain, tracked = took.values()
    ratios = sorted(b / a for a, b in zip(plain, tracked, strict=True))
    middle = f"{100 * (statistics.median(ratios) - 1):+.2f} %"
    spread = f"{100 * (ratios[0] - 1):+.2f} to {100 * (ratios[-1] - 1):+.2f} %"
    seconds = (f"{statistics.median(values):.3f} s" for values in took.values())
    yield f"| {' | '.join(seconds)} | {middle} | {spread} |"


def _epoch(folder: Path) -> float:
    """The median time from the end of one epoch to that of the next, of the last training."""
    found = folder.glob("data/nnUNet_trained_models/nnUNet/*/*/*/fold_0/progress.csv")
    newest = max(found, key=lambda path: path.stat().st_mtime)
    with newest.open(newline="") as stream:
        ends = [float(row["time"]) for row in csv.DictReader(stream)]
    return statistics.median(b - a for a, b in itertools.pairwise(ends))
