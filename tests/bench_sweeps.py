"""What a job of a sweep costs besides what it does: jobs that sleep for a second each."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.append(str(Path(__file__).parent / "sweeps"))

from napping import Naps

JOBS = 50
AT_ONCE = 2
ENGINES = {
    "joblib": ("sweep=joblib",),
    "Optuna, a grid": ("sweep=optuna", "sweep.search.sampler=grid"),
}


def rows(folder: Path) -> Iterator[str]:
    """Engine, wall time, and seconds a job beyond its own, start-up of the command included."""
    for name, overrides in ENGINES.items():
        root = folder / name.split(",")[0]
        root.mkdir(parents=True)
        naps = Naps(root, (*overrides, f"sweep.jobs={AT_ONCE}"))
        numbers = ",".join(map(str, range(1, JOBS + 1)))
        start = time.perf_counter()
        swept = naps.run(f"number={numbers}", "seconds=1")
        took = time.perf_counter() - start
        assert swept.code == 0, swept.err
        yield f"| {name} | {took:.1f} s | {took * AT_ONCE / JOBS - 1:.2f} s |"
